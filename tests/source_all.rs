//! All sources together, as the model gets them: one change over several, through the
//! journal.

mod scratch;

use cwmp_agent::model::binding::{Binding, FileAt, Pick, Rows, SourceKind, UciAt, UciRows};
use cwmp_agent::model::source::{Ask, FileChange, Journal, Prepared, Raw, Source};
use cwmp_agent::source::{Limits, Runtime, all};
use cwmp_agent::store::Root;
use cwmp_agent::store::journal::DiskJournal;
use cwmp_agent::store::state::StateDir;
use scratch::Scratch;
use std::collections::BTreeMap;
use std::sync::Arc;

fn uci(package: &str) -> Binding {
    Binding::Uci(Box::new(UciAt {
        package: package.into(),
        section: "s".into(),
        option: "o".into(),
        create: Some("t".into()),
        ..UciAt::default()
    }))
}

fn file(path: &str) -> Binding {
    Binding::File(Box::new(FileAt {
        path: path.into(),
        pick: Pick::default(),
        in_place: false,
    }))
}

fn sources(t: &Scratch, tables: &[Rows]) -> BTreeMap<SourceKind, Box<dyn Source>> {
    all(
        &Root::new(t.dir()).unwrap(),
        Limits::default(),
        Runtime::default(),
        tables,
    )
}

fn stage(s: &mut BTreeMap<SourceKind, Box<dyn Source>>, binding: &Binding, value: &str) {
    let source = s.get_mut(&binding.source()).unwrap();
    source
        .stage(Ask { binding, rows: &[] }, Some(Raw::Text(value.into())))
        .unwrap();
}

fn prepare(s: &mut BTreeMap<SourceKind, Box<dyn Source>>) -> Prepared {
    let mut all = Prepared::default();
    for source in s.values_mut() {
        let one = source.prepare().unwrap();
        all.files.extend(one.files);
        all.renamed.extend(one.renamed);
    }
    all
}

#[test]
fn there_is_a_source_for_every_binding_and_table() {
    let t = Scratch::new();
    let kinds: Vec<SourceKind> = sources(&t, &[]).into_keys().collect();
    assert_eq!(
        kinds,
        [
            SourceKind::Uci,
            SourceKind::File,
            SourceKind::Command,
            SourceKind::Ubus,
            SourceKind::Native,
            SourceKind::Constant,
            SourceKind::Memory,
        ]
    );
}

#[test]
fn one_change_over_several_sources_is_made_whole_or_not_at_all() {
    let t = Scratch::new();
    t.file("etc/config/a", "config t 's'\n\toption o 'old'\n");
    t.file("etc/config/b", "config t 's'\n\toption o 'old'\n");
    t.file("etc/note", "old\n");
    let mut s = sources(&t, &[]);
    let mut journal = DiskJournal::new(StateDir::open(&t.path("state")).unwrap());
    let change = |s: &mut BTreeMap<_, _>| {
        stage(s, &uci("a"), "new");
        stage(s, &uci("b"), "new");
        stage(s, &file("/etc/note"), "new");
    };
    let seen = |t: &Scratch| {
        ["etc/config/a", "etc/config/b", "etc/note"].map(|f| t.read(f).contains("new"))
    };

    change(&mut s);
    let mut files = prepare(&mut s).files;
    assert_eq!(files.len(), 3);
    // One file that cannot be written (below another file): none is.
    files.push(FileChange {
        path: t.path("etc/note/below"),
        content: Some(vec![]),
        mode: 0o600,
        reload: vec![],
    });
    assert!(journal.commit(&files).is_err());
    s.values_mut().for_each(|source| source.finish(false));
    assert_eq!(seen(&t), [false; 3]);

    change(&mut s);
    let files = prepare(&mut s).files;
    journal.commit(&files).unwrap();
    s.values_mut().for_each(|source| source.finish(true));
    assert_eq!(seen(&t), [true; 3]);
    for source in s.values_mut() {
        source.begin();
        assert_eq!(
            source.prepare().unwrap(),
            Prepared::default(),
            "nothing is left staged"
        );
    }
}

#[test]
fn sections_of_the_schemas_tables_are_named_before_they_were_ever_read() {
    let t = Scratch::new();
    t.file(
        "etc/config/a",
        "config t 's'\n\nconfig row\n\toption x '1'\n\nconfig other\n",
    );
    let rows = Rows::Uci(Arc::new(UciRows {
        package: "a".into(),
        section_type: "row".into(),
        ..UciRows::default()
    }));
    let mut s = sources(&t, std::slice::from_ref(&rows));
    stage(&mut s, &uci("a"), "new");
    let prepared = prepare(&mut s);
    assert_eq!(prepared.renamed.len(), 1);
    assert_eq!(prepared.renamed[0].rows, rows);
    assert_eq!(prepared.renamed[0].to, "cwmp_row_1");
    let text = String::from_utf8(prepared.files[0].content.clone().unwrap()).unwrap();
    assert!(
        text.contains("config row 'cwmp_row_1'") && text.contains("config other\n"),
        "{text}"
    );
}
