use super::*;

#[test]
fn a_code_is_the_same_however_it_is_written_and_no_two_are_joined() {
    for alike in [
        "C-12",
        "c-12",
        " C-12 ",
        "C 12",
        "C  12",
        "C–12",
        "C‑12",
        "C−12",
        "C_12",
        "c\u{2011}12",
        "Ｃ－１２",
        "C\u{a0}12",
        "C\u{200b}-12",
        "\u{feff}C-12",
        "C - 12",
        "C-١٢",
        "C-๑๒",
        "-C-12",
    ] {
        assert_eq!(compared_code(alike), "c-12", "{alike:?}");
    }
    for other in ["C12", "C-1-2", "C-2", "C/12", "D-12", "C-120", "Ç-12"] {
        assert_ne!(compared_code(other), "c-12", "{other:?}");
    }
    assert_ne!(compared_code("1-12"), compared_code("11-2"));
    // Composed or not, with the last sigma or another, with the long s: one letter each.
    assert_eq!(compared_code("É-1"), compared_code("e\u{301}-1"));
    assert_eq!(compared_code("ΟΔΟΣ 1"), compared_code("οδος 1"));
    assert_eq!(compared_code("straße"), compared_code("STRASSE"));
    assert_eq!(compared_code("ملف ٣"), "ملف-3");
    for none in ["", " ", "-", "\u{200b}", " – "] {
        assert_eq!(compared_code(none), "", "{none:?}");
    }
    let once = compared_code("Ｃase № 7 – ǅ");
    assert_eq!(compared_code(&once), once, "the rule has one end");
}
