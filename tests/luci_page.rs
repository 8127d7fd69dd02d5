//! The LuCI page of init/openwrt in a real browser, with a stand-in for LuCI's loader
//! (tests/luci) that grants what the shipped access rules grant and no more: looked at,
//! clicked, filled in. `CWMP_SCREENSHOTS=DIR` keeps a picture of each page there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).expect("shipped")
}

/// A browser, if this machine has one.
fn browser() -> Option<&'static str> {
    let known = ["chromium", "chromium-browser", "google-chrome"];
    let here = |name: &&str| {
        let tried = Command::new(name).arg("--version").output();
        tried.is_ok_and(|out| out.status.success())
    };
    let found = known.into_iter().find(here);
    if found.is_none() {
        println!("skipped: no browser here");
    }
    found
}

/// The files of the page by their paths on the router.
fn page() -> BTreeMap<&'static str, String> {
    let paths = [
        "/usr/share/rpcd/acl.d/luci-app-cwmp-agent.json",
        "/usr/share/luci/menu.d/luci-app-cwmp-agent.json",
        "/www/luci-static/resources/view/cwmp-agent/status.js",
        "/www/luci-static/resources/view/cwmp-agent/settings.js",
    ];
    let read = |path| (path, read(&format!("init/openwrt{path}")));
    paths.into_iter().map(read).collect()
}

/// As an element of a page that holds any text.
fn script(text: &str) -> String {
    format!("<script>{}</script>\n", text.replace("</", "<\\/"))
}

/// Opens a page with the story of this name, to the story's end.
fn tell(story: &str) {
    let Some(browser) = browser() else { return };
    let folder = std::env::temp_dir().join(format!("cwmp-luci-{}-{story}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let files = serde_json::to_string(&page()).expect("JSON");
    let constants = format!(
        "const FILES = {files};\nconst ROUTER = {{ scopes: [ 'read', 'write' ], uci: {{}}, exec: null }};"
    );
    let html = [
        "<!DOCTYPE html><meta charset=\"utf-8\"><title>LuCI</title><style>".to_owned(),
        read("tests/luci/page.css"),
        "</style><body><div id=\"view\"></div>\n".to_owned(),
        script(&constants),
        script(&read("tests/luci/loader.js")),
        script(&read(&format!("tests/luci/{story}.js"))),
    ];
    let file = folder.join("page.html");
    fs::write(&file, html.concat()).expect("a page");
    let run = |what: &str| run(browser, &folder, &file, what);
    let shown = run("--dump-dom");
    let picture = std::env::var_os("CWMP_SCREENSHOTS");
    if let Some(folder) = picture {
        let to = Path::new(&folder).join(format!("{story}.png"));
        run(&format!("--screenshot={}", to.display()));
    }
    let _ = fs::remove_dir_all(&folder);
    let verdict = shown.split_once("<pre id=\"verdict\">");
    let verdict = verdict.and_then(|(_, rest)| rest.split_once("</pre>"));
    let Some((verdict, _)) = verdict else {
        panic!("the story of {story} did not end:\n{shown}");
    };
    assert_eq!(verdict, "good");
}

/// What the browser says of a page, in bounded time.
fn run(browser: &str, folder: &Path, file: &Path, what: &str) -> String {
    let out = folder.join("out");
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-dev-shm-usage", "--no-first-run"])
        .args(["--virtual-time-budget=60000", "--window-size=1000,1500"])
        .arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ))
        .arg(what)
        .arg(format!("file://{}", file.display()))
        .env("HOME", folder)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stdout(fs::File::create(&out).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the browser");
    let end = Instant::now() + Duration::from_secs(120);
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the browser did not end");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    fs::read_to_string(out).expect("UTF-8")
}

#[test]
fn the_status_page_tells_and_its_button_asks_for_a_session() {
    tell("status");
}

#[test]
fn the_settings_are_changed_as_typed_and_passwords_never_shown() {
    tell("settings");
}

/// What LuCI's menu opens is there, and needs the rules that the package brings.
#[test]
fn menu_and_access_rules_fit_the_views() {
    let files = page();
    let json =
        |path: &str| -> serde_json::Value { serde_json::from_str(&files[path]).expect("JSON") };
    let menu = json("/usr/share/luci/menu.d/luci-app-cwmp-agent.json");
    let rules = json("/usr/share/rpcd/acl.d/luci-app-cwmp-agent.json");
    let mut views = 0;
    for (_, entry) in menu.as_object().expect("an object") {
        if let Some(path) = entry["action"]["path"].as_str() {
            let view = format!("/www/luci-static/resources/view/{path}.js");
            assert!(files.contains_key(view.as_str()), "{view}");
            views += 1;
        }
    }
    assert_eq!(views, 2);
    let needed = &menu["admin/services/cwmp-agent"]["depends"]["acl"][0];
    let rules = &rules[needed.as_str().expect("a name")];
    // Nothing but two commands, word for word, and one UCI package.
    let granted = |scope: &str| {
        let files = rules[scope]["file"].as_object().expect("files");
        let names: Vec<_> = files.keys().map(String::as_str).collect();
        (
            names,
            rules[scope]["uci"].to_string(),
            rules[scope]["ubus"].to_string(),
        )
    };
    let rest = ("[\"cwmp\"]".to_owned(), "{\"file\":[\"exec\"]}".to_owned());
    let of = |command| (vec![command], rest.0.clone(), rest.1.clone());
    assert_eq!(granted("read"), of("/usr/sbin/cwmp-agent status --json"));
    assert_eq!(granted("write"), of("/usr/sbin/cwmp-agent inform"));
}
