//! Instance numbers: given once, kept for good, never given again (OBJ-004), together
//! with the aliases of the rows.
//!
//! A row is known by its lasting key. One without (an anonymous UCI section) is known by
//! the fingerprint of its content; after an edit by somebody else, the rows and the
//! numbers left over are paired where at least half of the content is the same.

use super::source::Row;
use crate::notation::json;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The state file.
pub(super) const FILE: &str = "instances.json";
/// Rows that went away and are still known by their key, in one table at most: a host
/// that comes back gets its number back.
const MAX_GONE: usize = 64;
/// Content that more rows than this share does not help to tell them apart.
const MAX_ALIKE: usize = 32;

/// What is known of all tables, by the table's path (`Device.NAT.PortMapping.`).
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Numbers {
    /// Shared with the copy that a change is undone from, until a table changes.
    tables: Arc<BTreeMap<String, Arc<Known>>>,
    /// Differs from the state file.
    pub dirty: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Known {
    /// The next number to give.
    next: u32,
    /// By number: they are given in rising order and only ever taken out.
    rows: Vec<KnownRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KnownRow {
    n: u32,
    key: Box<str>,
    #[serde(default, skip_serializing_if = "<[u32]>::is_empty")]
    prints: Box<[u32]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alias: Option<Box<str>>,
}

#[derive(Deserialize)]
struct Stored {
    version: u32,
    tables: BTreeMap<String, Known>,
}

#[derive(Serialize)]
struct ToStore<'a> {
    version: u32,
    tables: BTreeMap<&'a str, &'a Known>,
}

impl Numbers {
    /// Reads the state file; `None` where it is not understood.
    pub fn load(bytes: &[u8]) -> Option<Numbers> {
        let stored = json::read::<Stored>(bytes).ok();
        let stored = stored.filter(|stored| stored.version == 1)?.tables;
        let mut tables = BTreeMap::new();
        for (path, mut known) in stored {
            known.rows.retain(|row| row.n > 0);
            known.rows.sort_by_key(|row| row.n);
            known.rows.dedup_by_key(|row| row.n);
            let highest = known.rows.last().map_or(0, |row| row.n);
            known.next = known.next.max(highest.saturating_add(1));
            tables.insert(path, Arc::new(known));
        }
        Some(Numbers {
            tables: Arc::new(tables),
            dirty: false,
        })
    }

    /// The content of the state file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let tables = self.tables.iter();
        let stored = ToStore {
            version: 1,
            tables: tables
                .map(|(path, known)| (path.as_str(), &**known))
                .collect(),
        };
        // Maps with text keys and plain data always serialize.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    fn table(&mut self, path: &str) -> &mut Known {
        let tables = Arc::make_mut(&mut self.tables);
        let known = tables.entry(path.to_owned()).or_insert_with(|| {
            Arc::new(Known {
                next: 1,
                rows: Vec::new(),
            })
        });
        Arc::make_mut(known)
    }

    /// The numbers of a table's rows, in the rows' order; new rows get new numbers.
    /// `None` for a row beyond the last number there is.
    #[expect(
        clippy::indexing_slicing,
        reason = "`found` and `numbers` are as long as `rows`, `taken` as the known ones; pairs hold places in both"
    )]
    pub fn assign(&mut self, path: &str, rows: &[Row]) -> Vec<Option<u32>> {
        if rows.is_empty() && !self.tables.contains_key(path) {
            return Vec::new();
        }
        if let Some(numbers) = self.unchanged(path, rows) {
            return numbers;
        }
        let mut dirty = false;
        let known = self.table(path);
        let mut numbers: Vec<Option<u32>> = vec![None; rows.len()];
        let mut taken = vec![false; known.rows.len()];
        let mut by_key: HashMap<&str, Vec<usize>> = HashMap::new();
        for (i, row) in known.rows.iter().enumerate().rev() {
            by_key.entry(&row.key).or_default().push(i);
        }
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            if let Some(at) = by_key.get_mut(row.key.as_str()).and_then(Vec::pop) {
                taken[at] = true;
                pairs.push((i, at));
            }
        }
        let mut found = vec![false; rows.len()];
        for (i, _) in &pairs {
            found[*i] = true;
        }
        for (i, at) in similar(rows, &found, &known.rows, &taken) {
            taken[at] = true;
            pairs.push((i, at));
            dirty = true;
        }
        for (i, at) in pairs {
            let row = &mut known.rows[at];
            numbers[i] = Some(row.n);
            if *row.key != *rows[i].key {
                row.key = rows[i].key.as_str().into();
            }
            if *row.prints != *rows[i].prints {
                row.prints = rows[i].prints.as_slice().into();
            }
        }
        // An anonymous row that is gone must not lend its number to a later one that
        // happens to look like it.
        let mut at = 0;
        known.rows.retain(|row| {
            at += 1;
            taken[at - 1] || row.prints.is_empty()
        });
        // Most tables have a row or two, and get no more.
        let new = numbers.iter().filter(|number| number.is_none()).count();
        known.rows.reserve_exact(new);
        for (i, number) in numbers.iter_mut().enumerate() {
            if number.is_none() {
                *number = known.give(&rows[i]);
                dirty = true;
            }
        }
        let surplus = known.rows.len().saturating_sub(rows.len() + MAX_GONE);
        if surplus > 0 {
            let here: HashSet<u32> = numbers.iter().flatten().copied().collect();
            let mut left = surplus;
            known.rows.retain(|row| {
                let drop = left > 0 && !here.contains(&row.n);
                left -= usize::from(drop);
                !drop
            });
        }
        self.dirty |= dirty;
        numbers
    }

    /// The numbers when the rows are those known, in their order: the usual case, without
    /// copying anything.
    fn unchanged(&self, path: &str, rows: &[Row]) -> Option<Vec<Option<u32>>> {
        let known = self.tables.get(path)?;
        let same = known.rows.len() == rows.len()
            && known
                .rows
                .iter()
                .zip(rows)
                .all(|(k, r)| *k.key == *r.key && *k.prints == *r.prints);
        same.then(|| known.rows.iter().map(|row| Some(row.n)).collect())
    }

    /// Gives a row just added its number, which no row of the table ever had.
    pub fn add(&mut self, path: &str, row: &Row) -> Option<u32> {
        self.dirty = true;
        let known = self.table(path);
        known.rows.retain(|k| *k.key != *row.key);
        known.give(row)
    }

    /// Forgets a row and all tables below it; its number stays used.
    pub fn remove(&mut self, table: &str, number: u32) {
        self.dirty = true;
        self.table(table).rows.retain(|row| row.n != number);
        let below = format!("{table}{number}.");
        Arc::make_mut(&mut self.tables).retain(|path, _| !path.starts_with(&below));
    }

    /// Forgets the rows with these keys in the tables that `shows` tells, as
    /// [`remove`](Numbers::remove) does; their paths, without what is below them.
    pub fn forget(&mut self, keys: &HashSet<&str>, shows: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut gone: Vec<(String, u32)> = Vec::new();
        for (path, known) in self.tables.iter() {
            let rows = known.rows.iter();
            let mut rows = rows.filter(|row| keys.contains(&*row.key)).peekable();
            if rows.peek().is_some() && shows(path) {
                gone.extend(rows.map(|row| (path.clone(), row.n)));
            }
        }
        for (path, number) in &gone {
            // One that was below another is gone already.
            if self.tables.contains_key(path) {
                self.remove(path, *number);
            }
        }
        gone.into_iter()
            .map(|(path, number)| format!("{path}{number}."))
            .collect()
    }

    /// Rows got lasting names, old key → new key. What had a new key before is gone, and its
    /// number is not to be lent to the row that has the key now.
    pub fn rename(&mut self, table: &str, names: &HashMap<&str, &str>) {
        if !self.tables.contains_key(table) {
            return;
        }
        let mut dirty = false;
        let taken: HashSet<&str> = names.values().copied().collect();
        self.table(table)
            .rows
            .retain(|row| !taken.contains(&*row.key) || names.contains_key(&*row.key));
        for row in &mut self.table(table).rows {
            if let Some(name) = names.get(&*row.key) {
                row.key = (*name).into();
                row.prints = Box::default();
                dirty = true;
            }
        }
        self.dirty |= dirty;
    }

    /// The number of the row with this key, as far as it is known.
    pub fn number_of(&self, table: &str, key: &str) -> Option<u32> {
        let known = self.tables.get(table)?;
        known.rows.iter().find(|row| *row.key == *key).map(|r| r.n)
    }

    /// Tables with rows that are known by their content only.
    pub fn anonymous(&self) -> Vec<String> {
        self.tables
            .iter()
            .filter(|(_, known)| known.rows.iter().any(|row| !row.prints.is_empty()))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// Whether any row was given an alias. Looks at all rows of all tables.
    pub fn has_aliases(&self) -> bool {
        let mut rows = self.tables.values().flat_map(|known| &known.rows);
        rows.any(|row| row.alias.is_some())
    }

    /// The alias the ACS gave a row.
    pub fn alias(&self, table: &str, number: u32) -> Option<&str> {
        let known = self.tables.get(table)?;
        let at = known.rows.binary_search_by_key(&number, |row| row.n).ok()?;
        known.rows.get(at)?.alias.as_deref()
    }

    /// Gives a row an alias; `None` gives the default back.
    pub fn set_alias(&mut self, table: &str, number: u32, alias: Option<&str>) {
        let known = self.table(table);
        let at = known.rows.binary_search_by_key(&number, |row| row.n);
        if let Some(row) = at.ok().and_then(|at| known.rows.get_mut(at)) {
            row.alias = alias.map(Box::from);
            self.dirty = true;
        }
    }
}

impl Known {
    fn give(&mut self, row: &Row) -> Option<u32> {
        let n = self.next;
        self.next = n.checked_add(1)?;
        self.rows.push(KnownRow {
            n,
            key: row.key.as_str().into(),
            prints: row.prints.as_slice().into(),
            alias: None,
        });
        Some(n)
    }
}

/// Pairs rows without a number with known rows that are not there any more, best
/// likeness first; (row, known).
#[expect(
    clippy::indexing_slicing,
    reason = "`found` is as long as `rows`, `taken` as `known`; `by_print` holds places in `known`"
)]
fn similar(
    rows: &[Row],
    found: &[bool],
    known: &[KnownRow],
    taken: &[bool],
) -> Vec<(usize, usize)> {
    let mut by_print: HashMap<u32, Vec<usize>> = HashMap::new();
    for (at, row) in known.iter().enumerate().filter(|(at, _)| !taken[*at]) {
        for print in &row.prints {
            by_print.entry(*print).or_default().push(at);
        }
    }
    if by_print.is_empty() {
        return Vec::new();
    }
    let mut candidates: Vec<(usize, usize, usize)> = Vec::new();
    for (i, row) in rows.iter().enumerate().filter(|(i, _)| !found[*i]) {
        let mut near: Vec<usize> = row
            .prints
            .iter()
            .filter_map(|print| by_print.get(print))
            .flat_map(|at| at.iter().take(MAX_ALIKE))
            .copied()
            .collect();
        near.sort_unstable();
        near.dedup();
        for at in near {
            let common = overlap(&row.prints, &known[at].prints);
            let larger = row.prints.len().max(known[at].prints.len());
            if common * 2 >= larger {
                candidates.push((common, i, at));
            }
        }
    }
    candidates.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut row_used = HashSet::new();
    let mut known_used = HashSet::new();
    let mut pairs = Vec::new();
    for (_, i, at) in candidates {
        if !row_used.contains(&i) && !known_used.contains(&at) {
            row_used.insert(i);
            known_used.insert(at);
            pairs.push((i, at));
        }
    }
    pairs
}

/// How many prints two rows have in common.
fn overlap(a: &[u32], b: &[u32]) -> usize {
    let mut a = a.to_vec();
    let mut b = b.to_vec();
    a.sort_unstable();
    b.sort_unstable();
    let (mut i, mut j, mut common) = (0, 0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                common += 1;
                i += 1;
                j += 1;
            }
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, prints: &[u32]) -> Row {
        Row {
            key: key.to_owned(),
            prints: prints.to_vec(),
        }
    }

    #[test]
    fn numbers_follow_edited_and_reordered_rows() {
        // T-OBJ-013
        let mut numbers = Numbers::default();
        let rows = [
            row("#a", &[1, 2, 3]),
            row("#b", &[1, 5, 6]),
            row("lan", &[]),
        ];
        assert_eq!(numbers.assign("T.", &rows), [Some(1), Some(2), Some(3)]);
        let edited = [
            row("lan", &[]),
            row("#c", &[1, 5, 7]),
            row("#a", &[1, 2, 3]),
        ];
        assert_eq!(numbers.assign("T.", &edited), [Some(3), Some(2), Some(1)]);
        // Nothing in common: another row, another number.
        assert_eq!(numbers.assign("T.", &[row("#d", &[8, 9])]), [Some(4)]);
        // The one that was dropped does not lend its number.
        assert_eq!(numbers.assign("T.", &[row("#a", &[1, 2, 3])]), [Some(5)]);
    }

    #[test]
    fn numbers_survive_the_state_file() {
        // T-OBJ-012
        let mut numbers = Numbers::default();
        numbers.assign("T.", &[row("a", &[]), row("#b", &[1, 2])]);
        numbers.remove("T.", 1);
        numbers.set_alias("T.", 2, Some("web"));
        let mut again = Numbers::load(&numbers.to_bytes()).unwrap();
        assert_eq!(again.alias("T.", 2), Some("web"));
        assert_eq!(
            again.assign("T.", &[row("a", &[]), row("#b", &[1, 2])]),
            [Some(3), Some(2)]
        );
    }

    #[test]
    fn rows_that_come_back_have_their_number() {
        let mut numbers = Numbers::default();
        numbers.assign("T.", &[row("aa", &[]), row("bb", &[])]);
        numbers.assign("T.", &[row("bb", &[])]);
        assert_eq!(
            numbers.assign("T.", &[row("cc", &[]), row("aa", &[])]),
            [Some(3), Some(1)]
        );
    }

    #[test]
    fn ten_thousand_alike_rows_are_cheap() {
        let mut numbers = Numbers::default();
        let rows: Vec<Row> = (0..10_000)
            .map(|i| row(&format!("#{i}"), &[1, 2, i + 10, i + 20_000]))
            .collect();
        numbers.assign("T.", &rows);
        let edited: Vec<Row> = (0..10_000)
            .map(|i| row(&format!("#x{i}"), &[1, 2, i + 10, 0]))
            .collect();
        let again = numbers.assign("T.", &edited);
        assert_eq!(again[5000], Some(5001));
    }

    #[test]
    fn a_damaged_state_file_counts_as_none() {
        for bytes in [&b"{"[..], b"[]", b"{\"version\":9,\"tables\":{}}"] {
            assert_eq!(Numbers::load(bytes), None);
        }
    }
}
