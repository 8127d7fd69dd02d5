//! Values and rows written in the data model itself. Nothing here changes.

use super::read_only;
use crate::model::binding::{Binding, Rows, expand};
use crate::model::source::{Ask, Prepared, Raw, Refusal, Row, Said, Source, Trouble};

/// Serves [`Binding::Constant`] and [`Rows::Fixed`].
#[derive(Debug, Default)]
pub struct ConstantSource;

impl Source for ConstantSource {
    fn begin(&mut self) {}

    fn rows(&mut self, rows: &Rows, _parents: &[String]) -> Result<Vec<Row>, Trouble> {
        let Rows::Fixed(keys) = rows else {
            return Ok(Vec::new());
        };
        Ok(keys
            .iter()
            .map(|key| Row {
                key: key.as_ref().to_owned(),
                prints: Vec::new(),
            })
            .collect())
    }

    fn rows_version(&mut self, _rows: &Rows) -> Option<u32> {
        Some(0)
    }

    fn value<'a>(&'a mut self, ask: Ask<'a>) -> Result<Option<Said<'a>>, Trouble> {
        Ok(match ask.binding {
            Binding::Constant(text) => Some(Said::Text(expand(text, ask.rows))),
            _ => None,
        })
    }

    fn stage(&mut self, at: Ask<'_>, value: Option<Raw>) -> Result<(), Refusal> {
        match (at.binding, value) {
            (Binding::Constant(text), Some(Raw::Text(new))) if expand(text, at.rows) == new => {
                Ok(())
            }
            (Binding::Constant(_), _) => Err(Refusal::Value("it has one value only".to_owned())),
            _ => Err(read_only("constant", "a value of the data model itself")),
        }
    }

    fn add_row(&mut self, _rows: &Rows, _parents: &[String]) -> Result<Row, Refusal> {
        Err(read_only("constant", "the rows of a fixed table"))
    }

    fn delete_row(&mut self, _rows: &Rows, _parents: &[String], _key: &str) -> Result<(), Refusal> {
        Err(read_only("constant", "the rows of a fixed table"))
    }

    fn prepare(&mut self) -> Result<Prepared, Trouble> {
        Ok(Prepared::default())
    }

    fn finish(&mut self, _committed: bool) {}
}
