//! The regular expressions of XML Schema, as far as data models use them: literals, `.`,
//! `\d \D \s \S \w \W`, escaped signs, classes with ranges and `^`, groups, `|`,
//! `? * + {n} {n,} {n,m}`. A pattern always matches the whole value.
//!
//! Matching follows all states at once, so its time is bounded by pattern size times
//! value length whatever the pattern; compiling is bounded in size and nesting.

/// Instructions of one compiled pattern at most.
const MAX_PROGRAM: usize = 4096;
/// Groups within groups at most.
const MAX_NESTING: usize = 32;
/// Characters of the pattern text at most.
const MAX_TEXT: usize = 1024;

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    program: Box<[Op]>,
    classes: Box<[Class]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    One(char),
    Class(u16),
    Any,
    Split(u16, u16),
    Jump(u16),
    Match,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Class {
    negated: bool,
    ranges: Box<[(char, char)]>,
}

/// The syntax tree, in one list so that it is built and dropped without recursion.
#[derive(Debug)]
enum Node {
    Empty,
    One(char),
    Class(u16),
    Any,
    Sequence(Vec<usize>),
    Choice(Vec<usize>),
    Repeat(usize, u32, Option<u32>),
}

impl Pattern {
    /// Compiles a pattern; the error says what is wrong with it.
    pub fn compile(text: &str) -> Result<Pattern, String> {
        if text.chars().count() > MAX_TEXT {
            return Err(format!("the pattern is longer than {MAX_TEXT} characters"));
        }
        let mut parser = Parser {
            rest: text.chars().peekable(),
            nodes: Vec::new(),
            blank: Vec::new(),
            classes: Vec::new(),
        };
        let root = parser.parse()?;
        let mut emitter = Emitter {
            nodes: &parser.nodes,
            blank: &parser.blank,
            program: Vec::new(),
        };
        emitter.emit(root)?;
        emitter.push(Op::Match)?;
        Ok(Pattern {
            text: text.into(),
            program: emitter.program.into(),
            classes: parser.classes.into(),
        })
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the whole value matches.
    #[expect(
        clippy::indexing_slicing,
        reason = "states are places in the program, classes in `classes`: the compiler made both"
    )]
    pub fn matches(&self, value: &str) -> bool {
        let mut now = States::new(self.program.len());
        let mut next = States::new(self.program.len());
        now.add(&self.program, 0);
        for c in value.chars() {
            next.clear();
            for i in 0..now.list.len() {
                let at = now.list[i];
                let taken = match self.program[usize::from(at)] {
                    Op::One(want) => want == c,
                    Op::Any => c != '\n' && c != '\r',
                    Op::Class(class) => self.classes[usize::from(class)].holds(c),
                    Op::Split(..) | Op::Jump(_) | Op::Match => false,
                };
                if taken {
                    next.add(&self.program, at + 1);
                }
            }
            std::mem::swap(&mut now, &mut next);
            if now.list.is_empty() {
                return false;
            }
        }
        now.list
            .iter()
            .any(|at| self.program[usize::from(*at)] == Op::Match)
    }
}

impl Class {
    fn holds(&self, c: char) -> bool {
        self.ranges.iter().any(|(a, b)| (*a..=*b).contains(&c)) != self.negated
    }
}

/// The set of states reached, each once.
struct States {
    list: Vec<u16>,
    member: Vec<bool>,
    todo: Vec<u16>,
}

impl States {
    fn new(size: usize) -> States {
        States {
            list: Vec::new(),
            member: vec![false; size],
            todo: Vec::new(),
        }
    }

    #[expect(clippy::indexing_slicing, reason = "what is listed was a member")]
    fn clear(&mut self) {
        for at in self.list.drain(..) {
            self.member[usize::from(at)] = false;
        }
    }

    /// Adds a state and all that is reached from it without taking a character. Jumps
    /// are members too, so that loops of empty matches end.
    #[expect(
        clippy::indexing_slicing,
        reason = "states are places in the program, and `member` is as long"
    )]
    fn add(&mut self, program: &[Op], at: u16) {
        self.todo.push(at);
        while let Some(at) = self.todo.pop() {
            if std::mem::replace(&mut self.member[usize::from(at)], true) {
                continue;
            }
            self.list.push(at);
            match program[usize::from(at)] {
                Op::Split(a, b) => {
                    self.todo.push(b);
                    self.todo.push(a);
                }
                Op::Jump(to) => self.todo.push(to),
                _ => {}
            }
        }
    }
}

struct Parser<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    nodes: Vec<Node>,
    /// For each node, whether it takes no instructions.
    blank: Vec<bool>,
    classes: Vec<Class>,
}

/// A group being read: the choices done and the sequence at hand.
#[derive(Default)]
struct Group {
    choices: Vec<usize>,
    sequence: Vec<usize>,
}

impl Parser<'_> {
    #[expect(
        clippy::indexing_slicing,
        reason = "parts are made before what holds them"
    )]
    fn node(&mut self, node: Node) -> usize {
        // Parts are made before what holds them, so their answers are there.
        self.blank.push(match &node {
            Node::Empty => true,
            Node::Sequence(parts) => parts.iter().all(|part| self.blank[*part]),
            Node::Repeat(inner, ..) => self.blank[*inner],
            _ => false,
        });
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn class(&mut self, negated: bool, ranges: Vec<(char, char)>) -> Result<usize, String> {
        let class = Class {
            negated,
            ranges: ranges.into(),
        };
        let at = match self.classes.iter().position(|c| *c == class) {
            Some(at) => at,
            None => {
                self.classes.push(class);
                self.classes.len() - 1
            }
        };
        let at = u16::try_from(at).map_err(|_| "too many classes".to_owned())?;
        Ok(self.node(Node::Class(at)))
    }

    fn parse(&mut self) -> Result<usize, String> {
        let mut open: Vec<Group> = Vec::new();
        let mut group = Group::default();
        while let Some(c) = self.rest.next() {
            let atom = match c {
                '(' => {
                    if open.len() >= MAX_NESTING {
                        return Err(format!("more than {MAX_NESTING} groups within each other"));
                    }
                    open.push(std::mem::take(&mut group));
                    continue;
                }
                ')' => {
                    let done = self.close(std::mem::take(&mut group));
                    group = open
                        .pop()
                        .ok_or_else(|| "a ) without its (; write \\) for the sign".to_owned())?;
                    done
                }
                '|' => {
                    let sequence = std::mem::take(&mut group.sequence);
                    let done = self.node(Node::Sequence(sequence));
                    group.choices.push(done);
                    continue;
                }
                '.' => self.node(Node::Any),
                '[' => self.bracket()?,
                '\\' => self.escape()?,
                '?' | '*' | '+' | '{' | '}' | ']' => {
                    return Err(format!(
                        "a {c} with nothing before it; write \\{c} for the sign"
                    ));
                }
                _ => self.node(Node::One(c)),
            };
            let atom = self.repeat(atom)?;
            group.sequence.push(atom);
        }
        if !open.is_empty() {
            return Err("a ( without its ); write \\( for the sign".to_owned());
        }
        Ok(self.close(group))
    }

    fn close(&mut self, mut group: Group) -> usize {
        let last = self.node(Node::Sequence(group.sequence));
        if group.choices.is_empty() {
            return last;
        }
        group.choices.push(last);
        self.node(Node::Choice(group.choices))
    }

    fn repeat(&mut self, atom: usize) -> Result<usize, String> {
        let (min, max) = match self.rest.peek() {
            Some('?') => (0, Some(1)),
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('{') => {
                self.rest.next();
                let mut inner = String::new();
                loop {
                    match self.rest.next() {
                        Some('}') => break,
                        Some(c) if inner.len() < 16 => inner.push(c),
                        _ => return Err("a { without its }; write {n} or {n,m}".to_owned()),
                    }
                }
                let wrong =
                    || format!("{{{inner}}} is no repetition; write {{n}}, {{n,}} or {{n,m}}");
                let number = |s: &str| -> Result<u32, String> {
                    if s.bytes().all(|b| b.is_ascii_digit()) {
                        s.parse().map_err(|_| wrong())
                    } else {
                        Err(wrong())
                    }
                };
                let bounds = match inner.split_once(',') {
                    None => {
                        let n = number(&inner)?;
                        (n, Some(n))
                    }
                    Some((a, "")) => (number(a)?, None),
                    Some((a, b)) => (number(a)?, Some(number(b)?)),
                };
                if bounds.1.is_some_and(|max| max < bounds.0) {
                    return Err(wrong());
                }
                return self.repeated(atom, bounds);
            }
            _ => return Ok(atom),
        };
        self.rest.next();
        self.repeated(atom, (min, max))
    }

    fn repeated(&mut self, atom: usize, bounds: (u32, Option<u32>)) -> Result<usize, String> {
        if let Some(c @ ('?' | '*' | '+' | '{')) = self.rest.peek() {
            return Err(format!("a {c} after a repetition; put the part in a group"));
        }
        Ok(match bounds {
            (_, Some(0)) => self.node(Node::Empty),
            (min, max) => self.node(Node::Repeat(atom, min, max)),
        })
    }

    fn escape(&mut self) -> Result<usize, String> {
        let c = self
            .rest
            .next()
            .ok_or_else(|| "a \\ at the end; write \\\\ for the sign".to_owned())?;
        if let Some(ranges) = shorthand(c) {
            return self.class(c.is_ascii_uppercase(), ranges);
        }
        let sign = escaped_sign(c)?;
        Ok(self.node(Node::One(sign)))
    }

    fn bracket(&mut self) -> Result<usize, String> {
        let unclosed = || "a [ without its ]; write \\[ for the sign".to_owned();
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut ranges: Vec<(char, char)> = Vec::new();
        loop {
            let c = self.rest.next().ok_or_else(unclosed)?;
            let from = match c {
                ']' if ranges.is_empty() => {
                    return Err("an empty class; write \\] for the sign".to_owned());
                }
                ']' => break,
                '[' => {
                    return Err("a [ inside a class; write \\[ for the sign".to_owned());
                }
                '\\' => {
                    let c = self.rest.next().ok_or_else(unclosed)?;
                    match shorthand(c) {
                        Some(more) if c.is_ascii_lowercase() => {
                            ranges.extend(more);
                            continue;
                        }
                        Some(_) => {
                            return Err(format!(
                                "\\{c} inside a class; write the signs themselves"
                            ));
                        }
                        None => escaped_sign(c)?,
                    }
                }
                _ => c,
            };
            // A minus before the end of the class is the sign itself.
            let mut ahead = self.rest.clone();
            if ahead.next() != Some('-') || matches!(ahead.peek(), Some(']') | None) {
                ranges.push((from, from));
                continue;
            }
            self.rest.next();
            let to = match self.rest.next().ok_or_else(unclosed)? {
                '\\' => escaped_sign(self.rest.next().ok_or_else(unclosed)?)?,
                '[' => return Err("a class taken from a class; list the signs instead".to_owned()),
                c => c,
            };
            if to < from {
                return Err(format!("the range {from}-{to} is backwards"));
            }
            ranges.push((from, to));
        }
        self.class(negated, ranges)
    }
}

fn shorthand(c: char) -> Option<Vec<(char, char)>> {
    Some(match c.to_ascii_lowercase() {
        'd' => vec![('0', '9')],
        's' => vec![(' ', ' '), ('\t', '\t'), ('\n', '\n'), ('\r', '\r')],
        'w' => vec![('0', '9'), ('A', 'Z'), ('a', 'z'), ('\u{80}', char::MAX)],
        _ => return None,
    })
}

fn escaped_sign(c: char) -> Result<char, String> {
    match c {
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        _ if c.is_ascii_punctuation() => Ok(c),
        _ => Err(format!(
            "\\{c} is not known; use \\d \\s \\w \\n \\r \\t or \\ and a sign"
        )),
    }
}

struct Emitter<'a> {
    nodes: &'a [Node],
    blank: &'a [bool],
    program: Vec<Op>,
}

impl Emitter<'_> {
    fn push(&mut self, op: Op) -> Result<u16, String> {
        if self.program.len() >= MAX_PROGRAM {
            return Err("the pattern is too large once its repetitions are written out".to_owned());
        }
        self.program.push(op);
        // MAX_PROGRAM fits in 16 bits.
        Ok((self.program.len() - 1) as u16)
    }

    fn here(&self) -> u16 {
        self.program.len() as u16
    }

    /// Writes a node's instructions. Recursion is bounded by MAX_NESTING groups.
    #[expect(
        clippy::indexing_slicing,
        reason = "nodes hold places in `nodes`; what is patched was pushed here"
    )]
    fn emit(&mut self, node: usize) -> Result<(), String> {
        let nodes = self.nodes;
        match &nodes[node] {
            Node::Empty => {}
            Node::One(c) => {
                self.push(Op::One(*c))?;
            }
            Node::Class(class) => {
                self.push(Op::Class(*class))?;
            }
            Node::Any => {
                self.push(Op::Any)?;
            }
            Node::Sequence(parts) => {
                for part in parts {
                    self.emit(*part)?;
                }
            }
            Node::Choice(parts) => {
                let mut ends = Vec::new();
                for (i, part) in parts.iter().enumerate() {
                    if i + 1 == parts.len() {
                        self.emit(*part)?;
                        break;
                    }
                    let split = self.push(Op::Jump(0))?;
                    self.emit(*part)?;
                    ends.push(self.push(Op::Jump(0))?);
                    self.program[usize::from(split)] = Op::Split(split + 1, self.here());
                }
                let here = self.here();
                for end in ends {
                    self.program[usize::from(end)] = Op::Jump(here);
                }
            }
            Node::Repeat(inner, min, max) => self.emit_repeat(*inner, *min, *max)?,
        }
        Ok(())
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "`blank` is as long as `nodes`; what is patched was pushed here"
    )]
    fn emit_repeat(&mut self, inner: usize, min: u32, max: Option<u32>) -> Result<(), String> {
        // The program's bound would not end these loops.
        if self.blank[inner] {
            return Ok(());
        }
        for _ in 0..min {
            self.emit(inner)?;
        }
        match max {
            None => {
                let split = self.push(Op::Jump(0))?;
                self.emit(inner)?;
                self.push(Op::Jump(split))?;
                self.program[usize::from(split)] = Op::Split(split + 1, self.here());
            }
            Some(max) => {
                let mut splits = Vec::new();
                for _ in min..max {
                    splits.push(self.push(Op::Jump(0))?);
                    self.emit(inner)?;
                }
                let here = self.here();
                for split in splits {
                    self.program[usize::from(split)] = Op::Split(split + 1, here);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(pattern: &str, value: &str) -> bool {
        Pattern::compile(pattern).expect("compiles").matches(value)
    }

    #[test]
    fn patterns_match_whole_values() {
        for (pattern, good, bad) in [
            ("[0-9A-F]{6}", "00AAFF", "00aaff"),
            ("2\\.\\d+", "2.19", "2x19"),
            ("\\d+(\\.\\d+)*", "1.2.33", "1..2"),
            ("|[0-9A-F]{2}", "", "0"),
            ("([01][0-9]|2[0-3]):[0-5][0-9]", "23:59", "24:00"),
            ("a|b|cd", "cd", "ad"),
            ("(a*)*b", "aaab", "aaaa"),
            ("[^,]{1,3}", "abc", "a,b"),
            ("x?y{2,}", "yyy", "xy"),
            ("[a\\-z-]+", "a-z-", "b"),
            (".*", "anything", "two\nlines"),
            ("\\w+\\s\\w+", "ab cd", "ab  cd"),
            ("[\\d.]+", "1.5", "1,5"),
        ] {
            assert!(holds(pattern, good), "{pattern} {good}");
            assert!(!holds(pattern, bad), "{pattern} {bad}");
        }
    }

    #[test]
    fn what_cannot_be_compiled_says_why() {
        for pattern in [
            "(",
            ")",
            "[",
            "[]",
            "*a",
            "a**",
            "a{2,1}",
            "a{",
            "a{x}",
            "\\",
            "\\q",
            "[z-a]",
            "[a-z-[b]]",
            "((a{1000}){1000}){1000}",
            "a{4294967295}",
            "(|){4294967295}b{99999}",
        ] {
            assert!(Pattern::compile(pattern).is_err(), "{pattern}");
        }
        assert!(Pattern::compile(&"(".repeat(900)).is_err());
        assert!(Pattern::compile("(){4294967295}").is_ok());
        let nested = format!("{}a{}", "(".repeat(30), "){1}".repeat(30));
        assert!(holds(&nested, "a"));
    }

    #[test]
    fn a_bad_pattern_costs_linear_time() {
        // Backtracking would take 2^64 steps here.
        assert!(!holds("(a|a)*(a|a)*c", &"a".repeat(2000)));
    }

    proptest! {
        #[test]
        fn compiling_and_matching_never_fail_to_end(p in "[-a-c(|)*+?{}0-9,\\[\\]^.\\\\]{0,24}", v in "[a-c0-9]{0,24}") {
            if let Ok(pattern) = Pattern::compile(&p) {
                pattern.matches(&v);
            }
        }
    }
}
