//! The command line as a value: what was asked for, or what is wrong with it.
//!
//! Every command takes the options of all: `--root`, `--config`, `-v`, `-q`, `--help`.

mod files;

pub use files::Transfer;

use crate::agent::migrate::Agent;
use crate::wake::dhcp;
use lexopt::prelude::*;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// What every command takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// Every file the agent reads or writes is taken below this directory.
    pub root: PathBuf,
    /// agent.toml; `None`: the default one below the root, if it is there.
    pub config: Option<PathBuf>,
    /// `-v` counts up, `-q` counts down.
    pub verbosity: i8,
}

/// A command with its own options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Help(Option<&'static Topic>),
    Version,
    Run {
        once: bool,
    },
    Get {
        paths: Vec<String>,
        json: bool,
    },
    Set {
        items: Vec<(String, String)>,
    },
    Names {
        path: String,
        next_level: bool,
    },
    Add {
        object: String,
    },
    Delete {
        instance: String,
    },
    Inform {
        event: Option<String>,
    },
    Status {
        json: bool,
    },
    Check {
        paths: Vec<PathBuf>,
    },
    Recover,
    /// Take over the settings of another agent.
    Migrate {
        from: Option<Agent>,
        dry: bool,
        force: bool,
    },
    /// Options in hexadecimal digits, and those the client had asked for.
    Dhcp {
        opt43: Option<String>,
        opt125: Option<String>,
        opt17: Option<String>,
        asked: Vec<u8>,
    },
    /// A file, asked for by a person.
    Transfer(Box<Transfer>),
    /// A scheduled download may go on.
    Confirm {
        key: String,
    },
    Cancel {
        key: String,
    },
    /// Ask the ACS for a download.
    RequestDownload {
        file_type: String,
        arguments: Vec<(String, String)>,
    },
    #[cfg(feature = "try")]
    Try,
}

/// The command line is wrong: what, and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command's name, its arguments and its help.
#[derive(Debug, PartialEq, Eq)]
pub struct Topic {
    pub name: &'static str,
    pub arguments: &'static str,
    /// One line for the list of commands.
    pub line: &'static str,
    /// The rest of its help.
    pub text: &'static str,
}

/// All commands, in the order of the list.
pub const TOPICS: &[Topic] = &[
    #[cfg(feature = "try")]
    Topic {
        name: "try",
        arguments: "",
        line: "watch an agent being provisioned, on a throw-away copy of a sample router",
        text: "Starts an ACS on the loopback interface and the real agent on a copy of a sample\n\
               router in a temporary directory, tells what happens between them, and leaves\n\
               nothing behind.",
    },
    Topic {
        name: "run",
        arguments: "[--once]",
        line: "be the agent, in the foreground, with logs on stderr",
        text: "SIGHUP reads /etc/config/cwmp again (agent.toml and data-model files are read at start\n\
               only); SIGTERM ends with exit status 0.\n\
               --once  counts as a boot: one attempt at one session with what is due, no retry;\n        \
               exit status 3 when no session was completed.",
    },
    Topic {
        name: "get",
        arguments: "[--json] PATH…",
        line: "print parameters, as path=value lines",
        text: "A PATH that ends in a dot stands for all parameters below it. Newlines, backslashes\n\
               and control characters in values are printed as C escapes.\n\
               --json  one JSON object, path to value.",
    },
    Topic {
        name: "set",
        arguments: "PATH=VALUE…",
        line: "change parameters, all or none",
        text: "The same checks and the same transaction as an ACS's SetParameterValues. Every\n\
               fault is printed on stderr as `path: code text`.",
    },
    Topic {
        name: "names",
        arguments: "PATH [--next-level]",
        line: "print the names below a path, each with rw or ro",
        text: "--next-level  only the next level below PATH.",
    },
    Topic {
        name: "add",
        arguments: "OBJECT",
        line: "add a row to a table and print its path",
        text: "OBJECT is a table's path with its final dot: Device.NAT.PortMapping.",
    },
    Topic {
        name: "delete",
        arguments: "INSTANCE",
        line: "delete a row and all below it",
        text: "INSTANCE is a row's path with its final dot: Device.NAT.PortMapping.3.",
    },
    Topic {
        name: "inform",
        arguments: "[EVENT]",
        line: "ask the running agent for a session now",
        text: "EVENT is an event code or its name (`2 PERIODIC`, `periodic`); without it the\n\
               session carries 6 CONNECTION REQUEST.",
    },
    Topic {
        name: "status",
        arguments: "[--json]",
        line: "tell about sessions, events, retries, sources in trouble",
        text: "--json  one JSON object.",
    },
    Topic {
        name: "download",
        arguments: "URL [--type FILE_TYPE] [--wait]",
        line: "fetch a file and use it, as an ACS's Download does",
        text: "Takes its place in the queue of the running agent; without one the command does all of\n\
               it itself. FILE_TYPE is one that agent.toml or the agent knows (default\n\
               `1 Firmware Upgrade Image`).\n\
               --user NAME           for file servers that ask\n\
               --password-file FILE  the first line of it\n\
               --target NAME         the name of the file on this device, where its type has one\n\
               --wait                until it is used; exit status 1 when it was not",
    },
    Topic {
        name: "upload",
        arguments: "URL [--type FILE_TYPE] [--wait]",
        line: "send a file, as an ACS's Upload does",
        text: "FILE_TYPE: default `1 Vendor Configuration File`. The other options are those of\n\
               `download`, but for --target.",
    },
    Topic {
        name: "confirm",
        arguments: "KEY",
        line: "let the scheduled download of this CommandKey go on",
        text: "For the WindowMode `4 Confirmation Needed` of ScheduleDownload; its UserMessage is in\n\
               `status`.",
    },
    Topic {
        name: "cancel",
        arguments: "KEY",
        line: "cancel the transfers of this CommandKey",
        text: "Those that wait or fetch, as an ACS's CancelTransfer does; nothing is told of them.",
    },
    Topic {
        name: "request-download",
        arguments: "FILE_TYPE [NAME=VALUE…]",
        line: "ask the ACS for a download of this type",
        text: "9 REQUEST DOWNLOAD and RequestDownload (TR-069 A.4.2.2), if the ACS lists that method;\n\
               at most 16 arguments.",
    },
    Topic {
        name: "check",
        arguments: "[FILE or DIR…]",
        line: "validate agent.toml and data-model files",
        text: "Prints file:line: what is wrong; what to write. Without arguments: the agent.toml in\n\
               use, the data model it names, and /etc/config/cwmp. A named file or folder of the data\n\
               model is held against the files compiled into the program. Exit status 2 when\n\
               something is wrong.",
    },
    Topic {
        name: "recover",
        arguments: "",
        line: "finish or undo a change that a power cut interrupted",
        text: "To be run at boot before the network starts.",
    },
    Topic {
        name: "migrate",
        arguments: "[--from NAME] [--dry-run] [--force]",
        line: "take over the settings of easycwmp or icwmp",
        text: "Reads /etc/config/easycwmp, or icwmp's /etc/config/cwmp, and writes /etc/config/cwmp in\n\
               one step; prints what was taken over, and what was not and why. What is set here to\n\
               something else stays, and then nothing is changed (exit status 1).\n\
               --from NAME  easycwmp or icwmp, where it is not clear\n\
               --dry-run    only print\n\
               --force      what the other agent says counts",
    },
    Topic {
        name: "dhcp",
        arguments: "[--opt43 HEX] [--opt125 HEX] [--opt17 HEX]",
        line: "decode what a DHCP server says of the ACS, and keep it",
        text: "For the hooks of DHCP clients. HEX is the option in hexadecimal digits: 43 and 125 of\n\
               DHCPv4 (125: enterprise 3561), 17 of DHCPv6. An empty one counts as none. What was\n\
               understood is printed; it holds where /etc/config/cwmp says nothing else.\n\
               --reqopts LIST  the options that the client had asked for, which tells 43 from 125\n                  \
               where a server sends both.",
    },
];

/// Reads a command line (without the program's name).
pub fn parse<I>(args: I) -> Result<(Common, Command), Usage>
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    let mut common = Common {
        root: PathBuf::from("/"),
        config: None,
        verbosity: 0,
    };
    let mut parser = lexopt::Parser::from_args(args);
    let mut name: Option<String> = None;
    let mut words: Vec<OsString> = Vec::new();
    let (mut help, mut version) = (false, false);
    let (mut once, mut json, mut next_level) = (false, false, false);
    let mut options = DhcpOptions::default();
    let mut transfer = files::Options::default();
    let (mut from, mut dry, mut force) = (None, false, false);
    let bad = |e: lexopt::Error| Usage(format!("{e}; see cwmp-agent --help"));
    while let Some(arg) = parser.next().map_err(bad)? {
        match arg {
            Long("root") => common.root = parser.value().map_err(bad)?.into(),
            Long("config") => common.config = Some(parser.value().map_err(bad)?.into()),
            Short('v') | Long("verbose") => common.verbosity = common.verbosity.saturating_add(1),
            Short('q') | Long("quiet") => common.verbosity = common.verbosity.saturating_sub(1),
            Short('h') | Long("help") => help = true,
            Short('V') | Long("version") => version = true,
            Long("once") if name.as_deref() == Some("run") => once = true,
            Long("json") if matches!(name.as_deref(), Some("get" | "status")) => json = true,
            Long("next-level") if name.as_deref() == Some("names") => next_level = true,
            Long("dry-run") if name.as_deref() == Some("migrate") => dry = true,
            Long("force") if name.as_deref() == Some("migrate") => force = true,
            Long("from") if name.as_deref() == Some("migrate") => {
                let value = parser.value().map_err(bad)?;
                let agent = value.to_str().and_then(Agent::named);
                from =
                    Some(agent.ok_or_else(|| {
                        Usage(format!("--from {value:?}: write easycwmp or icwmp"))
                    })?);
            }
            Long(option @ ("opt43" | "opt125" | "opt17" | "reqopts"))
                if name.as_deref() == Some("dhcp") =>
            {
                let option = option.to_owned();
                let value = parser.value().map_err(bad)?;
                options.take(&option, &value.to_string_lossy())?;
            }
            Long(option) if files::Options::takes(name.as_deref(), option) => {
                let option = option.to_owned();
                let value = match files::Options::has_value(&option) {
                    true => parser.value().map_err(bad)?,
                    false => OsString::new(),
                };
                transfer.take(&option, value)?;
            }
            Value(word) if name.is_none() => {
                name = Some(word.into_string().map_err(|w| {
                    Usage(format!("no command is called {w:?}; see cwmp-agent --help"))
                })?);
            }
            Value(word) => words.push(word),
            other => return Err(bad(other.unexpected())),
        }
    }
    if version {
        return Ok((common, Command::Version));
    }
    let Some(name) = name else {
        return if help {
            Ok((common, Command::Help(None)))
        } else {
            Err(Usage("no command given; see cwmp-agent --help".to_owned()))
        };
    };
    if name == "help" {
        let topic = words.first().and_then(|w| w.to_str()).and_then(topic);
        return Ok((common, Command::Help(topic)));
    }
    let Some(topic) = topic(&name) else {
        return Err(Usage(format!(
            "no command is called {name:?}; see cwmp-agent --help"
        )));
    };
    if help {
        return Ok((common, Command::Help(Some(topic))));
    }
    if !common.root.is_dir() {
        return Err(Usage(format!(
            "--root {:?} is no directory; name an existing one",
            common.root
        )));
    }
    let usage = || {
        Usage(format!(
            "usage: cwmp-agent {} {}",
            topic.name, topic.arguments
        ))
    };
    let text = |w: OsString| {
        w.into_string()
            .map_err(|w| Usage(format!("{w:?} is not UTF-8; write UTF-8")))
    };
    let exactly_one = |words: Vec<OsString>| -> Result<String, Usage> {
        let mut words = words.into_iter();
        match (words.next(), words.next()) {
            (Some(word), None) => text(word),
            _ => Err(usage()),
        }
    };
    let none = |words: &[OsString]| {
        if words.is_empty() {
            Ok(())
        } else {
            Err(usage())
        }
    };
    let command = match topic.name {
        "run" => none(&words).map(|()| Command::Run { once })?,
        "get" => {
            if words.is_empty() {
                return Err(usage());
            }
            let paths = words.into_iter().map(text).collect::<Result<_, _>>()?;
            Command::Get { paths, json }
        }
        "set" => {
            if words.is_empty() {
                return Err(usage());
            }
            let mut items = Vec::with_capacity(words.len());
            for word in words {
                let word = text(word)?;
                let Some((path, value)) = word.split_once('=') else {
                    return Err(Usage(format!("{word:?} has no `=`; write PATH=VALUE")));
                };
                items.push((path.to_owned(), value.to_owned()));
            }
            Command::Set { items }
        }
        "names" => Command::Names {
            path: exactly_one(words)?,
            next_level,
        },
        "add" => Command::Add {
            object: exactly_one(words)?,
        },
        "delete" => Command::Delete {
            instance: exactly_one(words)?,
        },
        "inform" => Command::Inform {
            event: match words.len() {
                0 => None,
                _ => Some(
                    words
                        .into_iter()
                        .map(text)
                        .collect::<Result<Vec<_>, _>>()?
                        .join(" "),
                ),
            },
        },
        "status" => none(&words).map(|()| Command::Status { json })?,
        "check" => Command::Check {
            paths: words.into_iter().map(PathBuf::from).collect(),
        },
        "migrate" => none(&words).map(|()| Command::Migrate { from, dry, force })?,
        "download" | "upload" => transfer.command(topic.name == "upload", exactly_one(words)?)?,
        "confirm" => Command::Confirm {
            key: exactly_one(words)?,
        },
        "cancel" => Command::Cancel {
            key: exactly_one(words)?,
        },
        "request-download" => {
            let words = words.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
            files::request(words)?.ok_or_else(usage)?
        }
        "recover" => none(&words).map(|()| Command::Recover)?,
        "dhcp" => {
            none(&words)?;
            options.command().ok_or_else(usage)?
        }
        #[cfg(feature = "try")]
        "try" => none(&words).map(|()| Command::Try)?,
        _ => return Err(usage()),
    };
    Ok((common, command))
}

/// What stands behind `dhcp`.
#[derive(Default)]
struct DhcpOptions {
    opt43: Option<String>,
    opt125: Option<String>,
    opt17: Option<String>,
    asked: Vec<u8>,
}

impl DhcpOptions {
    fn take(&mut self, option: &str, value: &str) -> Result<(), Usage> {
        let place = match option {
            "opt43" => &mut self.opt43,
            "opt125" => &mut self.opt125,
            "opt17" => &mut self.opt17,
            // The client's script hands on what is configured: what is no number is none of
            // these two.
            _ => {
                let words = value.split(|c: char| !c.is_ascii_alphanumeric());
                self.asked
                    .extend(words.filter_map(|w| w.parse::<u8>().ok()));
                return Ok(());
            }
        };
        if value.is_empty() {
            return Ok(());
        }
        if dhcp::octets(value).is_none() {
            return Err(Usage(format!(
                "--{option}: write the option as hexadecimal digits in pairs, at most {} of them",
                dhcp::MAX_OPTION
            )));
        }
        *place = Some(value.to_owned());
        Ok(())
    }

    fn command(self) -> Option<Command> {
        let given = [&self.opt43, &self.opt125, &self.opt17];
        given.iter().any(|o| o.is_some()).then_some(Command::Dhcp {
            opt43: self.opt43,
            opt125: self.opt125,
            opt17: self.opt17,
            asked: self.asked,
        })
    }
}

fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|t| t.name == name)
}

/// The help of one command, or of the program.
pub fn help(topic: Option<&Topic>) -> String {
    let common = "\
Options of every command:
  --root DIR     take every file below DIR (default /)
  --config FILE  the agent.toml to use (default /etc/cwmp-agent/agent.toml below the root)
  -v, -q         say more, say less
  --help         this text
";
    match topic {
        Some(t) => {
            let gap = if t.arguments.is_empty() { "" } else { " " };
            format!(
                "Usage: cwmp-agent {}{gap}{}\n\n{}.\n\n{}\n\n{common}",
                t.name,
                t.arguments,
                capital(t.line),
                t.text
            )
        }
        None => {
            let mut out = String::from(
                "cwmp-agent: the CPE side of TR-069 (CWMP)\n\nUsage: cwmp-agent COMMAND [OPTION…]\n\nCommands:\n",
            );
            for t in TOPICS {
                let call = if t.arguments.is_empty() {
                    t.name.to_owned()
                } else {
                    format!("{} {}", t.name, t.arguments)
                };
                out.push_str(&format!("  {call:<28}  {}\n", t.line));
            }
            out.push('\n');
            out.push_str(common);
            out.push_str(
                "\nExit status: 0 done; 1 refused or failed; 2 wrong usage or configuration;\n\
                 3 (run --once) no complete session.\n",
            );
            out
        }
    }
}

fn capital(line: &str) -> String {
    let mut chars = line.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(line: &str) -> (Common, Command) {
        parse(line.split(' ')).expect(line)
    }

    #[test]
    fn common_options_may_stand_anywhere() {
        let (common, command) = ok("--root /tmp get -v Device.Time. --config /x.toml --json");
        assert_eq!(common.root, PathBuf::from("/tmp"));
        assert_eq!(common.config, Some(PathBuf::from("/x.toml")));
        assert_eq!(common.verbosity, 1);
        let paths = vec!["Device.Time.".to_owned()];
        assert_eq!(command, Command::Get { paths, json: true });
    }

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        let (_, command) = ok("set Device.A=b=c");
        let items = vec![("Device.A".to_owned(), "b=c".to_owned())];
        assert_eq!(command, Command::Set { items });
    }

    #[test]
    fn wrong_usage_says_what_to_write() {
        for line in [
            "",
            "get",
            "set",
            "set Device.A",
            "names",
            "names A B",
            "add",
            "delete",
            "nonsense",
            "run now",
            "get --once A",
            "run --json",
            "--root",
            "status x",
            "run --root /nowhere/at/all",
            "dhcp",
            "dhcp --opt43",
            "dhcp --opt43 xyz",
            "dhcp --opt43 010",
            "dhcp --reqopts 43",
            "dhcp --opt43= --opt125=",
            "dhcp 0104",
            "migrate --from",
            "migrate --from other",
            "migrate easycwmp",
            "run --dry-run",
            "status --force",
            "get --opt43 01 A",
        ] {
            let args: Vec<&str> = line.split(' ').filter(|w| !w.is_empty()).collect();
            let error = parse(args).expect_err(line);
            assert!(
                error.0.contains("cwmp-agent")
                    || error.0.contains("write")
                    || error.0.contains("name an"),
                "{line}: {error}"
            );
        }
    }

    #[test]
    fn dhcp_takes_options_and_what_was_asked_for() {
        let (_, command) = ok("dhcp --opt43 0103613a62 --opt125= --reqopts=43,125");
        let expected = Command::Dhcp {
            opt43: Some("0103613a62".to_owned()),
            opt125: None,
            opt17: None,
            asked: vec![43, 125],
        };
        assert_eq!(command, expected);
    }

    #[test]
    fn every_command_has_its_help() {
        for topic in TOPICS {
            let (_, command) = ok(&format!("{} --help", topic.name));
            assert_eq!(command, Command::Help(Some(topic)));
            assert!(help(Some(topic)).contains(topic.name));
        }
        assert_eq!(ok("--help").1, Command::Help(None));
        assert!(help(None).contains("recover"));
    }
}
