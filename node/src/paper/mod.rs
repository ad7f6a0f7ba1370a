//! A page on paper: PDF, A4, with the fonts of this machine in it.
//!
//! What stands on the page is [`tutti_core::referral::copy::Page`]; here it becomes lines
//! ([`lines`]), sheets ([`sheets`]) and bytes ([`draw`]). Scripts are shaped, joined and ordered by
//! parley (Arabic, Thai, Devanagari and all others that a font has), and lines are broken where the
//! script breaks them, by dictionary where it writes no spaces. The same page and fonts give the same
//! bytes: nothing of the time or the machine is written into the file.

mod draw;
mod fonts;
mod lines;
mod sheets;

pub use fonts::Fonts;
use tutti_core::referral::copy::Page;

/// Why a page could not be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PaperError {
    /// No font at all.
    #[error("there is no font on this machine to make a PDF with")]
    NoFonts,
    /// Some letters would be empty boxes on somebody's paper.
    #[error("no font on this machine has the letters {letters}")]
    Letters {
        /// Some of them, with a space between.
        letters: String,
    },
    /// The library could not write it.
    #[error("the PDF could not be written: {0}")]
    Writing(String),
}

impl PaperError {
    /// What can be done about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoFonts | Self::Letters { .. } => {
                "install fonts (Debian and Ubuntu: fonts-noto-core, and fonts-noto-cjk for Chinese, \
                 Japanese and Korean), or name a folder that has some with --fonts; or make the page for \
                 a browser, which brings its own"
            }
            Self::Writing(_) => "make the page for a browser, and print it from there",
        }
    }
}

/// The page as a PDF.
///
/// # Errors
/// [`PaperError::NoFonts`] and [`PaperError::Letters`] where this machine's fonts do not suffice.
pub fn pdf(page: &Page, fonts: &mut Fonts) -> Result<Vec<u8>, PaperError> {
    let written = lines::Setter::new(page, fonts)?.set(page);
    draw::draw(page, sheets::fill(written))
}

#[cfg(test)]
mod tests;
