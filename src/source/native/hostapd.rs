//! Which security modes the installed access point program knows:
//! Device.WiFi.AccessPoint.{i}.Security.ModesSupported.
//!
//! OpenWrt builds hostapd in several sizes, and the package's name tells which. The
//! package manager keeps a file for each installed package.

use crate::store::Folders;
use crate::uci::file::Stamp;

/// Where opkg and apk keep a file for each package.
const LISTS: [(&str, &str); 2] = [
    ("/usr/lib/opkg/info", ".control"),
    ("/lib/apk/packages", ".list"),
];
const NAMES: [&str; 2] = ["wpad", "hostapd"];
const LIBRARIES: [&str; 4] = ["", "-mbedtls", "-wolfssl", "-openssl"];

const WPA: &str = "None,WPA-Personal,WPA2-Personal,WPA-WPA2-Personal";
const SAE: &str = "WPA3-Personal,WPA3-Personal-Transition,OWE";
const ENTERPRISE: &str = "WPA-Enterprise,WPA2-Enterprise,WPA-WPA2-Enterprise";

/// What was found, and the folders' stamps at that time.
#[derive(Default)]
pub struct Modes {
    known: Option<([Option<Stamp>; 2], String)>,
    /// Looked at in this request.
    checked: bool,
}

impl Modes {
    /// A new request begins.
    pub fn begin(&mut self) {
        self.checked = false;
    }

    /// The list, found anew when packages were installed or removed.
    pub fn supported(&mut self, root: &Folders) -> String {
        if let Some((_, modes)) = self.known.as_ref().filter(|_| self.checked) {
            return modes.clone();
        }
        self.checked = true;
        let stamps = LISTS.map(|(dir, _)| {
            let path = root.path(dir).ok()?;
            Stamp::of(&path).ok().flatten()
        });
        if let Some((then, modes)) = &self.known
            && *then == stamps
        {
            return modes.clone();
        }
        let modes = find(|package| {
            LISTS.iter().zip(&stamps).any(|((dir, end), stamp)| {
                let file = format!("{dir}/{package}{end}");
                stamp.is_some() && root.path(&file).is_ok_and(|p| p.exists())
            })
        });
        self.known = Some((stamps, modes.clone()));
        modes
    }
}

/// The modes of the largest of the packages that are installed.
fn find(is_installed: impl Fn(&str) -> bool) -> String {
    let any = |kind: &str, libraries: &[&str]| {
        let mut packages = NAMES.iter().flat_map(|name| {
            let with = move |library: &&str| format!("{name}{kind}{library}");
            libraries.iter().map(with)
        });
        packages.any(|package| is_installed(&package))
    };
    match LIBRARIES {
        // Built with a library for TLS: everything.
        [_, with @ ..] if any("", &with) => {
            format!("{WPA},{SAE},{ENTERPRISE},WPA3-Enterprise")
        }
        // TLS of its own, but no elliptic curves.
        _ if any("", &[""]) => format!("{WPA},{ENTERPRISE}"),
        [_, with @ ..] if any("-basic", &with) => format!("{WPA},{SAE}"),
        _ if any("-basic", &[""]) || any("-mini", &LIBRARIES) => WPA.to_owned(),
        // Built into the firmware under another name: what OpenWrt builds by default.
        _ => format!("{WPA},{SAE}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_the_program_says_what_it_knows() {
        let of = |installed: &'static str| find(|package| package == installed);
        for (package, sae, enterprise) in [
            ("wpad-mbedtls", true, true),
            ("hostapd-openssl", true, true),
            ("wpad", false, true),
            ("wpad-basic-mbedtls", true, false),
            ("wpad-basic", false, false),
            ("wpad-mini", false, false),
            ("", true, false),
        ] {
            let modes = of(package);
            assert!(modes.starts_with("None,WPA-Personal"), "{package}");
            assert_eq!(modes.contains(SAE), sae, "{package}");
            assert_eq!(modes.contains(ENTERPRISE), enterprise, "{package}");
        }
    }
}
