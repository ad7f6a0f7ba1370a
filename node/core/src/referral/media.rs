//! What kind of file may go with a case, told by its bytes and not by its name.
//!
//! Documents and pictures that people make of paper, and plain text: nothing that runs, nothing that
//! holds other files, no markup. Invariant: a name and the bytes agree, or the file is refused. No
//! file is ever parsed beyond its first bytes, decoded or rendered here.

use std::fmt;

/// Bytes from the beginning of a file that are enough to tell what it is.
pub const HEAD_BYTES: usize = 8 * 1024;

/// A type of file that may go with a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MediaType {
    /// A document as it is printed.
    Pdf,
    /// A photo.
    Jpeg,
    /// A picture or a scan.
    Png,
    /// A picture.
    Webp,
    /// A photo, as many telephones take it.
    Heic,
    /// UTF-8 without control codes.
    Text,
}

impl MediaType {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Pdf, Self::Jpeg, Self::Png, Self::Webp, Self::Heic, Self::Text];

    /// Its name by IANA.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Heic => "image/heic",
            Self::Text => "text/plain",
        }
    }

    /// The one of that name.
    pub fn parse(mime: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|media| media.mime() == mime)
    }

    /// What the names of such files may end in, the usual one first.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Pdf => &["pdf"],
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Png => &["png"],
            Self::Webp => &["webp"],
            Self::Heic => &["heic", "heif"],
            Self::Text => &["txt"],
        }
    }

    /// What the names of such files end in.
    pub fn extension(self) -> &'static str {
        self.extensions().first().copied().unwrap_or_default()
    }
}

/// Why a file may not go with a case. Says nothing of what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongType {
    /// Its bytes are of no type that may, or of none that is known.
    Bytes,
    /// Its name ends in something else than what its bytes are.
    Extension(MediaType),
    /// It ends in the middle of a character, or has control codes in it.
    NotText,
}

impl fmt::Display for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes => {
                f.write_str("its bytes are those of no type of file that may go along")?
            }
            Self::Extension(media) => write!(
                f,
                "its bytes are {}, and its name does not end in {}",
                media.mime(),
                media.extensions().join(" or ")
            )?,
            Self::NotText => {
                f.write_str("it is no plain text: not UTF-8, or with control codes in it")?;
            }
        }
        let allowed: Vec<&str> = MediaType::ALL.iter().map(|media| media.extension()).collect();
        write!(f, "; allowed: {}", allowed.join(", "))
    }
}

impl std::error::Error for WrongType {}

/// What a file is, by its first bytes ([`HEAD_BYTES`] of them, or all), and whether its name says
/// the same. Of text the rest is still to be looked at, by a [`TextCheck`].
pub fn recognise(name: &str, head: &[u8]) -> Result<MediaType, WrongType> {
    let found = match infer::get(head) {
        Some(kind) => MediaType::parse(match kind.mime_type() {
            "image/heif" => "image/heic",
            // These it knows by a few characters of a text; whether they may is settled here.
            "text/plain" => return Err(WrongType::Bytes),
            mime => mime,
        }),
        None => looks_like_text(head).then_some(MediaType::Text),
    };
    let found = found.ok_or(WrongType::Bytes)?;
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension {
        Some(extension) if found.extensions().contains(&extension.as_str()) => Ok(found),
        Some(_) | None => Err(WrongType::Extension(found)),
    }
}

/// Whether this begins a text, and one that nothing takes for markup or a script.
fn looks_like_text(head: &[u8]) -> bool {
    let mut check = TextCheck::default();
    let body = head.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(head);
    let start = body.trim_ascii_start();
    let markup: [&[u8]; 5] = [b"<", b"#!", b"%!", b"{\\rtf", b"%PDF"];
    !head.is_empty() && check.feed(head) && !markup.iter().any(|mark| start.starts_with(mark))
}

/// Looks through a text that comes in pieces: UTF-8, and no control codes but tabs and ends of lines.
#[derive(Debug, Clone, Default)]
pub struct TextCheck {
    /// The beginning of a character that the next piece goes on with.
    rest: Vec<u8>,
}

impl TextCheck {
    /// Takes the next piece; whether it is text so far.
    pub fn feed(&mut self, piece: &[u8]) -> bool {
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.extend_from_slice(piece);
        let whole = match std::str::from_utf8(&bytes) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_some() => return false,
            Err(error) => error.valid_up_to(),
        };
        let (text, rest) = bytes.split_at(whole);
        self.rest = rest.to_vec();
        let text = std::str::from_utf8(text).unwrap_or_default();
        !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}'))
    }

    /// Whether it ended with a whole character.
    pub fn is_whole(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JPEG: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F', 0, 1];
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const WEBP: &[u8] = b"RIFF\x24\0\0\0WEBPVP8 \0\0\0\0";
    const HEIC: &[u8] = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";

    #[test]
    fn a_file_is_what_its_bytes_are_and_its_name_says_so() {
        for (name, head, is) in [
            ("letter.pdf", b"%PDF-1.7\n".as_slice(), MediaType::Pdf),
            ("LETTER.PDF", b"%PDF-1.7\n", MediaType::Pdf),
            ("a.b.jpeg", JPEG, MediaType::Jpeg),
            ("a.jpg", JPEG, MediaType::Jpeg),
            ("a.png", PNG, MediaType::Png),
            ("a.webp", WEBP, MediaType::Webp),
            ("a.heic", HEIC, MediaType::Heic),
            ("a.txt", "\u{feff}Überweisung an Dr. สมชาย\r\n".as_bytes(), MediaType::Text),
        ] {
            assert_eq!(recognise(name, head), Ok(is), "{name}");
        }
        for (name, head) in [
            ("a.png", JPEG),
            ("a.txt", JPEG),
            ("a", JPEG),
            ("a.jpg.exe", JPEG),
            ("a.pdf", b"only a text".as_slice()),
            ("a.js", b"alert(1)"),
        ] {
            assert!(matches!(recognise(name, head), Err(WrongType::Extension(_))), "{name}");
        }
    }

    /// Under each of these names and under `.txt`: what runs, holds other files, or is markup.
    #[test]
    fn nothing_that_runs_or_holds_other_files_goes_along() {
        let elf = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 64]].concat();
        let exe = [b"MZ\x90\0\x03\0\0\0".as_slice(), &[0; 64]].concat();
        for head in [
            elf.as_slice(),
            exe.as_slice(),
            b"#!/bin/sh\nrm -rf ~\n",
            b"PK\x03\x04\x14\0\0\0\x08\0",
            b"PK\x03\x04\x14\0\x06\0word/document.xml",
            b"\x1f\x8b\x08\0\0\0\0\0",
            b"7z\xbc\xaf\x27\x1c",
            b"Rar!\x1a\x07\0",
            b"<!DOCTYPE html><script>alert(1)</script>",
            b"  \n<html><body>",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\">",
            b"<?xml version=\"1.0\"?>",
            b"{\\rtf1\\ansi",
            b"%!PS-Adobe-3.0",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            b"GIF89a\x01\0\x01\0",
            b"\0\x01\x02\x03",
            b"text with \x1b[31m codes",
            b"\xff\xfe\x41\0",
            b"",
        ] {
            for name in ["a.txt", "a.pdf", "a.jpg", "a.exe", "a.html", "a.svg", "a.zip", "a"] {
                assert_eq!(recognise(name, head), Err(WrongType::Bytes), "{name} {head:?}");
            }
        }
    }

    #[test]
    fn a_text_is_looked_through_however_it_is_cut() {
        let text = "สวัสดี\tÜber\nשלום\r\n".as_bytes();
        for cut in 0..text.len() {
            let mut check = TextCheck::default();
            let (a, b) = text.split_at(cut);
            assert!(check.feed(a) && check.feed(b) && check.is_whole(), "{cut}");
        }
        let mut check = TextCheck::default();
        assert!(check.feed(&text[..1]) && !check.is_whole());
        assert!(!check.feed(b"a"));
        assert!(!TextCheck::default().feed(b"a\0b"));
    }
}
