//! SHA-256 sums as texts.

/// The sum in a text that holds one: the first 64 hex digits in a row, neither more nor less,
/// as `sha256sum` and its relatives print them.
pub(super) fn of_text(text: &str) -> Option<[u8; 32]> {
    text.split(|c: char| !c.is_ascii_hexdigit())
        .find(|run| run.len() == 64)
        .and_then(unhex)
}

/// The sum of a file in a list of `sha256sum`: a line each, the sum, two characters, the name.
/// `None`: no line has the name, or two have it with different sums.
pub(super) fn in_list(text: &str, name: &str) -> Option<[u8; 32]> {
    let mut found = None;
    for line in text.lines() {
        let Some((sum, rest)) = line.split_once(' ') else {
            continue;
        };
        let listed = rest.strip_prefix([' ', '*']).unwrap_or(rest).trim_end();
        if listed.strip_prefix("./").unwrap_or(listed) != name {
            continue;
        }
        let sum = unhex(sum)?;
        if found.is_some_and(|earlier| earlier != sum) {
            return None;
        }
        found = Some(sum);
    }
    found
}

/// Bytes from exactly as many pairs of hex digits.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16)?;
            *byte = (*byte << 4) | u8::try_from(value).ok()?;
        }
    }
    Some(bytes)
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: [u8; 32] = [0xab; 32];
    const B: [u8; 32] = [0x01; 32];

    #[test]
    fn the_first_sum_of_a_text_is_found_in_every_usual_form() {
        let (a, b) = (hex(&A), hex(&B));
        for text in [
            a.clone(),
            format!("{}\n", a.to_uppercase()),
            format!("{a}  image.bin\n{b}  other.bin\n"),
            format!("\u{feff}{a} *image.bin\r\n"),
            format!("SHA256 (image.bin) = {a}\n"),
            format!("deadbeef {a}"),
        ] {
            assert_eq!(of_text(&text), Some(A), "{text:?}");
        }
        for text in [
            String::new(),
            a[..63].to_owned(),
            format!("{a}0"),
            format!("{a}{b}"),
            format!("{}\n{}", &a[..32], &a[32..]),
            "g".repeat(64),
        ] {
            assert_eq!(of_text(&text), None, "{text:?}");
        }
    }

    #[test]
    fn a_list_is_asked_by_name() {
        let (a, b) = (hex(&A), hex(&B));
        let list = format!("{b} *other.bin\n{a} *./image.bin\n{a}  image.bin\nnonsense\n{b}\n");
        assert_eq!(in_list(&list, "image.bin"), Some(A));
        assert_eq!(in_list(&list, "other.bin"), Some(B));
        assert_eq!(in_list(&list, "bin"), None);
        assert_eq!(in_list(&list, ""), None);
        let double = format!("{a}  x\n{b}  x\n");
        assert_eq!(in_list(&double, "x"), None);
        assert_eq!(in_list(&format!("{a}00  x\n"), "x"), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_without_harm(text in "\\PC{0,200}", near in "[0-9a-fA-F *./\n\u{e4}x]{0,200}", name in ".{0,4}") {
            for text in [text, near] {
                if let Some(sum) = of_text(&text) {
                    prop_assert!(text.to_lowercase().contains(&hex(&sum)));
                }
                if let Some(sum) = in_list(&text, &name) {
                    prop_assert!(text.to_lowercase().contains(&hex(&sum)));
                }
            }
        }

        #[test]
        fn what_is_written_is_read_back(sum: [u8; 32]) {
            prop_assert_eq!(unhex::<32>(&hex(&sum)), Some(sum));
            prop_assert_eq!(of_text(&format!("{}  name", hex(&sum))), Some(sum));
        }
    }
}
