//! Names: which society, which federation, which log. Parsed once, then carried as types.

use std::{fmt, str::FromStr, sync::Arc};

/// A National Society by the ISO 3166-1 alpha-2 code of its country in lower case (one society a
/// country), or `ifrc`, `icrc`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Society([u8; 4]);

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not two lower-case letters, `ifrc` or `icrc`.
    #[error("society {0:?} is not an ISO 3166-1 alpha-2 code in lower case, ifrc or icrc")]
    Society(String),
    /// Not a host name such as `migrants.example.org`.
    #[error("federation {0:?} is not a host name in lower case, such as migrants.example.org")]
    Federation(String),
    /// Not `<federation>/<society>/<epoch>`.
    #[error("origin {0:?} is not <federation>/<society>/<epoch>")]
    Origin(String),
}

impl Society {
    /// The code: two letters, `ifrc` or `icrc`.
    pub fn as_str(&self) -> &str {
        let len = if self.0[2] == 0 { 2 } else { 4 };
        std::str::from_utf8(&self.0[..len]).unwrap_or("??")
    }
}

impl FromStr for Society {
    type Err = NameError;

    fn from_str(code: &str) -> Result<Self, NameError> {
        match code.as_bytes() {
            [a @ b'a'..=b'z', b @ b'a'..=b'z'] => Ok(Self([*a, *b, 0, 0])),
            b"ifrc" => Ok(Self(*b"ifrc")),
            b"icrc" => Ok(Self(*b"icrc")),
            _ => Err(NameError::Society(code.into())),
        }
    }
}

impl fmt::Display for Society {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Society {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Society {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Society {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        code.parse().map_err(serde::de::Error::custom)
    }
}

/// Checks the name of a federation: a host name in lower case with at least one dot.
pub fn check_federation(name: &str) -> Result<(), NameError> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    if name.len() <= 100 && name.contains('.') && name.split('.').all(label) {
        Ok(())
    } else {
        Err(NameError::Federation(name.into()))
    }
}

/// The name of one log, and of the key that signs it: `<federation>/<society>/<epoch>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    text: Arc<str>,
    society: Society,
    epoch: u32,
}

impl Origin {
    /// The log of `society` in `federation`, in its `epoch` (from 1).
    pub fn new(federation: &str, society: Society, epoch: u32) -> Result<Self, NameError> {
        check_federation(federation)?;
        format!("{federation}/{society}/{epoch}").parse()
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The society that writes this log.
    pub fn society(&self) -> Society {
        self.society
    }

    /// Which of the society's logs, from 1.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The federation's name.
    pub fn federation(&self) -> &str {
        self.text.split('/').next().unwrap_or_default()
    }
}

impl FromStr for Origin {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::Origin(text.chars().take(200).collect());
        let mut parts = text.split('/');
        let (Some(federation), Some(society), Some(epoch), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused());
        };
        check_federation(federation).map_err(|_| refused())?;
        let society = society.parse().map_err(|_| refused())?;
        let number: u32 = epoch.parse().map_err(|_| refused())?;
        if number == 0 || number.to_string() != epoch {
            return Err(refused());
        }
        Ok(Self { text: text.into(), society, epoch: number })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_strictly() {
        for good in ["m.example.org/ph/1", "m.org/icrc/42"] {
            assert_eq!(good.parse::<Origin>().map(|o| o.to_string()).as_deref(), Ok(good));
        }
        for bad in [
            "m.org/ph/0",
            "m.org/ph/01",
            "m.org/PH/1",
            "m.org/phl/1",
            "org/ph/1",
            "m.org/ph",
            "m.org/ph/1/",
            "m..org/ph/1",
            "-m.org/ph/1",
            "m.org/ph/+1",
            "",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
