//! The fonts of this machine, and which of them a page needs.

use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
};

use parley::{
    FontContext,
    fontique::{Collection, CollectionOptions, FamilyId, SourceCache},
};

use super::PaperError;

/// Where systems keep their fonts; what is not there is passed over.
const FOLDERS: [&str; 5] = [
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/usr/share/texmf/fonts/opentype",
    "/System/Library/Fonts",
    "/Library/Fonts",
];

/// In this order, where a machine has them; then all others by name.
const FIRST: [&str; 7] = [
    "Noto Sans",
    "Noto Sans Arabic",
    "Noto Sans Thai",
    "DejaVu Sans",
    "Liberation Sans",
    "Noto Naskh Arabic",
    "Noto Sans Devanagari",
];

/// The fonts that a page may be set in.
pub struct Fonts {
    pub(super) context: FontContext,
    /// By name, in the order in which they are tried.
    families: Vec<(String, FamilyId)>,
}

impl std::fmt::Debug for Fonts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fonts").field("families", &self.families.len()).finish()
    }
}

impl Fonts {
    /// Those that are installed, and those in the given folder, which are tried first.
    pub fn installed(more: Option<&Path>) -> Self {
        let mut folders: Vec<PathBuf> = FOLDERS.iter().map(PathBuf::from).collect();
        if let Some(home) = env::var_os("HOME") {
            folders.push(Path::new(&home).join(".local/share/fonts"));
            folders.push(Path::new(&home).join("Library/Fonts"));
        }
        folders.retain(|folder| folder.is_dir());
        let options = CollectionOptions { shared: false, system_fonts: false };
        let own: BTreeSet<String> = match more {
            Some(folder) => {
                let mut given = Collection::new(options);
                given.load_fonts_from_paths([folder]);
                folders.insert(0, folder.into());
                given.family_names().map(str::to_owned).collect()
            }
            None => BTreeSet::new(),
        };
        let mut collection = Collection::new(options);
        collection.load_fonts_from_paths(&folders);
        let names: BTreeSet<String> = collection.family_names().map(str::to_owned).collect();
        let mut families: Vec<(String, FamilyId)> = names
            .into_iter()
            // Pictures in place of letters cannot be printed as letters.
            .filter(|name| !name.contains("Emoji"))
            .filter_map(|name| collection.family_id(&name).map(|id| (name, id)))
            .collect();
        families.sort_by_key(|(name, _)| {
            let first = FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len());
            let plain = !name.starts_with("Noto Sans");
            (!own.contains(name), first, plain, name.clone())
        });
        let context = FontContext { collection, source_cache: SourceCache::default() };
        Self { context, families }
    }

    /// The families that together have every letter of the text, the first of them for most; and the
    /// marks (not letters) that none of them has.
    pub(super) fn covering(
        &mut self,
        text: &str,
    ) -> Result<(Vec<String>, BTreeSet<char>), PaperError> {
        if self.families.is_empty() {
            return Err(PaperError::NoFonts);
        }
        let mut wanted: BTreeSet<char> = text.chars().filter(|char| visible(*char)).collect();
        let mut chosen = Vec::new();
        for (name, id) in &self.families {
            if wanted.is_empty() && !chosen.is_empty() {
                break;
            }
            let Some(family) = self.context.collection.family(*id) else { continue };
            let Some(font) = family.default_font() else { continue };
            let Some(data) = font.load(Some(&mut self.context.source_cache)) else { continue };
            let Some(charmap) = font.charmap_index().charmap(data.as_ref()) else { continue };
            let had = wanted.len();
            wanted.retain(|char| charmap.map(*char).is_none_or(|glyph| glyph == 0));
            if wanted.len() < had || chosen.is_empty() {
                chosen.push(name.clone());
            }
        }
        let letters: Vec<String> = wanted
            .iter()
            .filter(|char| char.is_alphanumeric())
            .take(8)
            .map(char::to_string)
            .collect();
        if !letters.is_empty() {
            return Err(PaperError::Letters { letters: letters.join(" ") });
        }
        Ok((chosen, wanted))
    }
}

/// Whether something is to be seen of it. Joiners, direction and variation marks have no picture.
fn visible(char: char) -> bool {
    !(char.is_whitespace()
        || char.is_control()
        || matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'))
}

#[cfg(test)]
impl Fonts {
    /// Their names, in the order in which they are tried.
    pub(super) fn named(&self) -> impl Iterator<Item = String> {
        self.families.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().into_iter()
    }

    /// As if a machine had that family alone.
    pub(super) fn with_only(&self, name: &str) -> Self {
        let families = self.families.iter().filter(|(family, _)| family == name).cloned().collect();
        Self { context: self.context.clone(), families }
    }
}
