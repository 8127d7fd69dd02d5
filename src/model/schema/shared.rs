//! What parameters have in common, kept once: texts, maps and facets. A few hundred texts
//! and some dozen facets serve all parameters of a router.

use super::Map;
use crate::model::binding::Text;
use crate::model::facets::Facets;
use std::collections::BTreeSet;

/// What was met so far while data-model files are read.
#[derive(Debug, Default)]
pub(super) struct Shared {
    texts: BTreeSet<Text>,
    maps: BTreeSet<Map>,
    pub facets: Vec<Facets>,
}

impl Shared {
    /// The one copy of a text.
    pub fn text(&mut self, text: &str) -> Text {
        match self.texts.get(text) {
            Some(known) => Text::clone(known),
            None => {
                let new: Text = text.into();
                self.texts.insert(Text::clone(&new));
                new
            }
        }
    }

    /// As [`text`](Shared::text), of each.
    pub fn texts(&mut self, texts: &[String]) -> Box<[Text]> {
        texts.iter().map(|text| self.text(text)).collect()
    }

    /// The one copy of a map.
    pub fn map(&mut self, map: Vec<(Text, Text)>) -> Map {
        if let Some(known) = self.maps.get(map.as_slice()) {
            return Map::clone(known);
        }
        let new = Map::from(map);
        self.maps.insert(Map::clone(&new));
        new
    }

    /// The place of equal facets in `facets`.
    pub fn facets(&mut self, facets: Facets) -> usize {
        match self.facets.iter().position(|known| *known == facets) {
            Some(at) => at,
            None => {
                self.facets.push(facets);
                self.facets.len() - 1
            }
        }
    }
}
