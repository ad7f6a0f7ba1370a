//! Routing keys, tokens and tags.

use serde::{Deserialize, Serialize};
use tutti_core::sealing::{
    RoutingKey, RoutingSecret,
    routing::{admits, claim, receipt, tag, token},
};

use super::{Expect, Page, expect, frozen, seeds};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
enum Case {
    /// The token and tag that the author makes and the addressee finds.
    Tag {
        author_secret: String,
        addressee_public: String,
        addressee_secret: String,
        author_public: String,
        origin: String,
        index: u64,
        slot: u8,
        /// In hex.
        token: String,
        tag: String,
        receipt: String,
    },
    /// A public key that is taken, or refused.
    Key {
        name: String,
        expect: Expect,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        public: String,
    },
}

fn tagged(index: u64, slot: u8) -> Case {
    let (ph, sg) = (seeds::ph(), seeds::sg());
    let pair = ph.routing.pair(&sg.routing.public());
    let token = token(&pair, &ph.origin(), index, slot);
    Case::Tag {
        author_secret: ph.routing.to_secret_string().to_string(),
        addressee_public: sg.routing.public().to_string(),
        addressee_secret: sg.routing.to_secret_string().to_string(),
        author_public: ph.routing.public().to_string(),
        origin: ph.origin().to_string(),
        index,
        slot,
        token: hex::encode(token),
        tag: hex::encode(tag(&token)),
        receipt: hex::encode(receipt(&pair, &ph.origin(), index, slot)),
    }
}

fn key(name: &str, reason: &str, public: &str) -> Case {
    let expect = if reason.is_empty() { Expect::Valid } else { Expect::Refuse };
    Case::Key { name: name.into(), expect, reason: reason.into(), public: public.into() }
}

fn key_of(bytes: [u8; 32]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

fn cases() -> Vec<Case> {
    let own = seeds::ph().routing.public();
    let mut high = *own.as_bytes();
    high[31] |= 0x80;
    let mut one = [0; 32];
    one[0] = 1;
    let mut prime_and_nine = [0xff; 32];
    (prime_and_nine[0], prime_and_nine[31]) = (0xf6, 0x7f);
    vec![
        tagged(0, 0),
        tagged(7, 1),
        tagged((1 << 40) - 1, 7),
        key("a key", "", &own.to_string()),
        key(
            "the base point",
            "",
            &key_of({
                let mut nine = [0; 32];
                nine[0] = 9;
                nine
            }),
        ),
        key("the base point, plus the prime", "canonical", &key_of(prime_and_nine)),
        key("zero", "weak", &key_of([0; 32])),
        key("one, of small order", "weak", &key_of(one)),
        key("the high bit set", "canonical", &key_of(high)),
        key("31 bytes", "32 bytes", &own.to_string()[..40]),
        key("no padding", "32 bytes", own.to_string().trim_end_matches('=')),
        key("not base64", "32 bytes", "!"),
    ]
}

#[test]
fn tags() {
    let page: Page<Case> = Page {
        about: "docs/protocol.md, \"Routing tags\". Keys in base64, token, tag and receipt in hex."
            .into(),
        shared: None,
        cases: cases(),
    };
    for case in frozen("routing.json", &page).cases {
        match case {
            Case::Tag {
                author_secret,
                addressee_public,
                addressee_secret,
                author_public,
                origin,
                index,
                slot,
                token: made,
                tag: carried,
                receipt: said,
            } => {
                let author: RoutingSecret = author_secret.parse().unwrap();
                let addressee: RoutingSecret = addressee_secret.parse().unwrap();
                assert_eq!(author.public().to_string(), author_public);
                assert_eq!(addressee.public().to_string(), addressee_public);
                let origin = origin.parse().unwrap();
                let at_author = token(&author.pair(&addressee.public()), &origin, index, slot);
                let pair = addressee.pair(&author.public());
                assert_eq!(at_author, token(&pair, &origin, index, slot));
                assert_eq!((hex::encode(at_author), hex::encode(tag(&at_author))), (made, carried));
                assert_eq!(hex::encode(receipt(&pair, &origin, index, slot)), said);
                let mut tags = [[0xee; 16]; 8];
                tags[usize::from(slot)] = tag(&at_author);
                assert_eq!(claim(&pair, &origin, index, &tags), Some((slot, at_author)));
                assert!(admits(&at_author, &tags));
                // Another place, slot or pair has another tag.
                assert_eq!(claim(&pair, &origin, index ^ 1, &tags), None);
                tags.rotate_left(1);
                assert_eq!(claim(&pair, &origin, index, &tags), None);
            }
            Case::Key { name, expect: expected, reason, public } => {
                expect(&name, expected, &reason, public.parse::<RoutingKey>());
            }
        }
    }
}
