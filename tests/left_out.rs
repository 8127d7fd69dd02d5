//! What a program says of what was left out of it: the cargo features `tls` and
//! `software-modules`.

#![cfg(not(all(feature = "tls", feature = "software-modules")))]

mod transfer_rig;

use transfer_rig::*;

#[cfg(not(feature = "tls"))]
mod tls {
    use super::*;
    use transfer_rig::acs::*;
    use transfer_rig::cpe::Cpe;
    use transfer_rig::files::Served;

    /// How a command ends and what it says then.
    fn told(cpe: &Cpe, args: &[&str]) -> (Option<i32>, String) {
        let out = cpe.cli(args);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        (out.status.code(), text)
    }

    #[test]
    fn an_acs_over_https_is_refused_in_words() {
        let cpe = Cpe::new("https://127.0.0.1:9/");
        for args in [&["check"][..], &["run", "--once"]] {
            let (status, text) = told(&cpe, args);
            assert!(matches!(status, Some(2 | 3)), "{args:?} {status:?} {text}");
            assert!(text.contains("without TLS"), "{args:?} {text}");
        }
        // Nothing but https would do.
        let cpe = Cpe::new("http://127.0.0.1:9/");
        assert_eq!(told(&cpe, &["check"]).0, Some(0));
        cpe.option("require_tls", "1");
        let (status, text) = told(&cpe, &["check"]);
        assert!(status == Some(2) && text.contains("without TLS"), "{text}");
        // A client certificate is of no use.
        let cpe = Cpe::new("http://127.0.0.1:9/");
        cpe.option("client_cert", "/etc/client.pem");
        let (status, text) = told(&cpe, &["check"]);
        assert!(status == Some(2) && text.contains("without TLS"), "{text}");
    }

    #[test]
    fn a_file_over_https_is_of_no_protocol_that_is_supported() {
        let mut rig = Rig::new();
        let over = |url: &str| Transfer {
            key: "k".to_owned(),
            file_type: FILE.to_owned(),
            url: url.to_owned(),
            ..Transfer::default()
        };
        let secure = over("https://127.0.0.1:9/f");
        let windows: &[Window<'_>] = &[(0, 3600, "1 At Any Time", 0)];
        let asked = rig.ask(Script::of([
            download(&secure),
            upload(&secure),
            schedule_download(&secure, windows),
        ]));
        assert_eq!(asked.faults(), [9013, 9013, 9013]);
        // A server that leads there: 9013 is no code of TransferComplete.
        let away = Served::redirect(302, "https://127.0.0.1:9/f");
        let moved = rig.file("/moved", away, "k");
        assert_eq!(rig.downloaded(&moved), 9010);
        let (status, text) = told(&rig.cpe, &["download", &secure.url, "--type", FILE]);
        assert!(status != Some(0) && text.contains("without TLS"), "{text}");
        rig.finish();
    }

    #[test]
    fn a_signature_in_agent_toml_is_refused_with_its_line() {
        let cpe = Cpe::new("");
        cpe.agent_toml(
            "[[download]]\nfile_type = \"2 Web Content\"\nverify = { signature = \".sig\" }\n",
        );
        let (status, text) = told(&cpe, &["check"]);
        assert!(status == Some(2) && text.contains("without TLS"), "{text}");
    }
}

#[cfg(not(feature = "software-modules"))]
mod software_modules {
    use super::*;
    use transfer_rig::acs::*;

    #[test]
    fn neither_the_method_nor_the_object_is_there() {
        let mut rig = Rig::new();
        let asked = rig.ask(Script::of([
            get_rpc_methods(),
            Rpc::new("ChangeDUState", vec![Node::text("CommandKey", "k")]),
            get_values(&["Device.SoftwareModules."]),
            get_values(&["Device.ManagementServer.DUStateChangeComplPolicy."]),
        ]));
        let methods = asked.message("GetRPCMethodsResponse").expect("a list");
        assert!(
            methods.raw.contains(">ScheduleDownload<"),
            "{}",
            methods.raw
        );
        assert!(!methods.raw.contains("ChangeDUState"), "{}", methods.raw);
        assert_eq!(asked.faults(), [9000, 9005, 9005]);
        rig.finish();
    }

    #[test]
    fn an_environment_in_agent_toml_is_refused_with_its_line() {
        let cpe = transfer_rig::cpe::Cpe::new("");
        cpe.agent_toml("[[software_modules]]\nname = \"box\"\ndir = \"/box\"\n");
        let out = cpe.cli(&["check"]);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2));
        assert!(text.contains("without software modules"), "{text}");
    }
}
