//! Holds each implementation against a reader that takes one byte after the
//! other.

use std::process::Command;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::implementation::Implementation;
use crate::{Skip, Skipped, implementation, plain_run, plain_text};

fn implementations() -> Vec<Implementation> {
    let best = Implementation::best();
    let portable = Implementation::Portable;
    if best.name() == portable.name() { vec![portable] } else { vec![portable, best] }
}

/// Returns the expected result of the skip of a whole text.
fn one_by_one(text: &[u8], room: usize) -> Skipped {
    let (mut inside, mut string, mut escaped) = (0, false, false);
    for (at, byte) in text.iter().enumerate() {
        if string {
            if escaped {
                escaped = false;
            } else {
                escaped = *byte == b'\\';
                string = *byte != b'"';
            }
            continue;
        }
        match byte {
            b'"' => string = true,
            b'[' | b'{' if inside == room => return Skipped::TooDeep,
            b'[' | b'{' => inside += 1,
            b']' | b'}' if inside == 0 => return Skipped::End(at + 1),
            b']' | b'}' => inside -= 1,
            _ => {}
        }
    }
    Skipped::All
}

/// Skips in a text that is cut into chunks.
fn in_chunks(implementation: Implementation, text: &[u8], cuts: &[usize], room: usize) -> (Skipped, Skip) {
    let mut skip = Skip::new(room);
    let mut start = 0;
    for end in cuts.iter().copied().chain([text.len()]) {
        match implementation.feed(&mut skip, &text[start..end]) {
            Skipped::All => start = end,
            Skipped::End(at) => return (Skipped::End(start + at), skip),
            Skipped::TooDeep => return (Skipped::TooDeep, skip),
        }
    }
    (Skipped::All, skip)
}

/// Checks a text in one piece, and cut in two around the borders of blocks.
fn check(text: &[u8], room: usize, expected: Skipped) {
    assert_eq!(one_by_one(text, room), expected, "one by one: {}", text.escape_ascii());
    for implementation in implementations() {
        let name = implementation.name();
        let (skipped, whole) = in_chunks(implementation, text, &[], room);
        assert_eq!(skipped, expected, "{name}: {}", text.escape_ascii());
        for cut in [1, 2, 31, 32, 33, 63, 64, 65, 66, 127, 128, 129].into_iter().filter(|cut| *cut <= text.len()) {
            let cut_up = in_chunks(implementation, text, &[cut], room);
            assert_eq!(cut_up, (expected, whole), "{name}, cut at {cut}: {}", text.escape_ascii());
        }
    }
}

fn naive_run(text: &[u8]) -> usize {
    text.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

fn check_run(text: &[u8]) {
    let expected = naive_run(text);
    assert_eq!(plain_run(text), expected, "{}", text.escape_ascii());
    for implementation in implementations() {
        assert_eq!(implementation.plain_run(text), expected, "{}: {}", implementation.name(), text.escape_ascii());
    }
    let quoted = text.get(expected) == Some(&b'"') && text[..expected].is_ascii();
    let expected = quoted.then(|| std::str::from_utf8(&text[..expected]).unwrap());
    assert_eq!(plain_text(text), expected, "{}", text.escape_ascii());
}

/// Texts that end early, late or never, with long and short strings.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let anything = select(b"\"\"\\\\[]{}ab, :\x00\x1f;=\x7f\xdb\xff".to_vec());
    let strings = select(b"\"\"\"\\\\\\\\[{]ab\xff".to_vec());
    let brackets = select(b"[[[{{{]]}}}\"\",".to_vec());
    let pieces =
        vec((select(b"\"\"\"\"\\[[{{]}a\xff\n".to_vec()), select(vec![1, 1, 1, 2, 3, 7, 60, 64, 65, 200])), 0..24);
    prop_oneof![
        vec(anything, 0..400),
        vec(strings, 0..400),
        vec(brackets, 0..400),
        pieces.prop_map(|pieces| pieces.into_iter().flat_map(|(byte, count)| vec![byte; count]).collect()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_bytes_in_any_chunks_are_skipped_alike(
        text in text(),
        cuts in vec(any::<Index>(), 0..4),
        room in prop_oneof![0_usize..4, 0_usize..130],
        before in 0_usize..64,
    ) {
        let expected = one_by_one(&text, room);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        let placed = [&vec![b'"'; before], &*text].concat();
        let text = &placed[before..];
        let (_, state) = in_chunks(Implementation::Portable, text, &[], room);
        for implementation in implementations() {
            prop_assert_eq!(in_chunks(implementation, text, &[], room), (expected, state), "{}", implementation.name());
            prop_assert_eq!(in_chunks(implementation, text, &cuts, room), (expected, state), "{}", implementation.name());
        }
    }

    #[test]
    fn any_bytes_have_the_same_plain_run(plain in 0_usize..300, rest in text(), before in 0_usize..64) {
        let placed = [vec![b'"'; before], vec![b'a'; plain], rest].concat();
        check_run(&placed[before..]);
    }
}

#[test]
fn a_container_ends_at_each_offset() {
    for offset in 0..=260 {
        let string = [&b"\""[..], &vec![b'a'; offset], b"\""].concat();
        let nested = [&b"["[..], &vec![b'}'; offset.min(1)], &vec![b' '; offset], b"{}"].concat();
        for inside in [vec![b' '; offset], string, nested] {
            for after in [0, 1, 31, 32, 63, 64, 65, 200] {
                let depth = usize::from(inside.first() == Some(&b'[') && offset == 0);
                let text = [&inside[..], &vec![b']'; depth], b"}", &vec![b'}'; after]].concat();
                check(&text, 2, Skipped::End(inside.len() + depth + 1));
            }
        }
    }
}

#[test]
fn escapes_cross_the_borders_of_blocks() {
    for start in (56..=66).chain(120..=130).chain(248..=258) {
        for slashes in 0..=70 {
            // An odd number of backslashes escapes the quote, so that the string goes on to the next one.
            let text = [&b"\""[..], &vec![b'a'; start - 1], &vec![b'\\'; slashes], b"\"}\"}"].concat();
            let end = start + slashes + if slashes % 2 == 0 { 2 } else { 4 };
            check(&text, 0, Skipped::End(end));
        }
    }
}

#[test]
fn an_escaped_byte_is_one_byte() {
    for start in 1..=130 {
        let head = [&b"\""[..], &vec![b'a'; start - 1]].concat();
        check(&[&head[..], b"\\\\\"}", &[b' '; 70]].concat(), 0, Skipped::End(start + 4));
        // The byte behind a border is escaped, and what comes in the next block is not.
        for plain in [63, 64, 65, 191, 192, 193] {
            let tail = [&vec![b'a'; plain][..], b"\"}"].concat();
            check(&[&head[..], b"\\", &tail].concat(), 0, Skipped::End(start + plain + 3));
            check(&[&head[..], b"\\\"", &tail].concat(), 0, Skipped::End(start + plain + 4));
        }
    }
}

#[test]
fn a_backslash_outside_of_strings_means_nothing() {
    check(br#"\"}"}"#, 0, Skipped::End(5));
    check(br#"\}"#, 0, Skipped::End(2));
    check(br#"\\\"\"}\\"}"#, 0, Skipped::End(11));
    for before in 0..=130 {
        check(&[&vec![b' '; before], &br#"\"}"}"#[..]].concat(), 0, Skipped::End(before + 5));
        check(&[&vec![b'\\'; before], &br#""}"}"#[..]].concat(), 0, Skipped::End(before + 4));
        check(&[&vec![b'\\'; before], &br#""\"}"]"#[..]].concat(), 0, Skipped::End(before + 6));
    }
}

#[test]
fn the_room_is_exact() {
    for room in 0..=130 {
        for before in [0, 1, 30, 63, 64, 100] {
            let [opens, closes] = [b'{', b'}'].map(|bracket| vec![bracket; room]);
            let head = vec![b' '; before];
            check(&[&head, &opens, &closes, &b"}"[..]].concat(), room, Skipped::End(before + 2 * room + 1));
            check(&[&head, &opens, &b"[]"[..], &closes, b"}"].concat(), room, Skipped::TooDeep);
            check(&[&head, &opens, &closes, &b"}["[..], &opens].concat(), room, Skipped::End(before + 2 * room + 1));
            check(&[&head, &opens, &b"\"[[[[\""[..], &closes].concat(), room, Skipped::All);
        }
    }
    check(&[b'['; 10_000], 127, Skipped::TooDeep);
    check(&[b'['; 10_000], 10_000, Skipped::All);
    check(&[b'['; 10_000], usize::MAX, Skipped::All);
}

#[test]
fn the_unterminated_goes_on() {
    for len in 0..=200 {
        for byte in [b' ', b'"', b'\\', b'a', 0xff, b':', b'\n'] {
            check(&vec![byte; len], 0, Skipped::All);
        }
    }
}

#[test]
fn only_brackets_and_quotes_count() {
    for byte in (0..=u8::MAX).filter(|byte| !br#""[]{}"#.contains(byte)) {
        check(&[&[byte; 70][..], b"}"].concat(), 0, Skipped::End(71));
        check(&[&[byte; 3][..], b"}"].concat(), 0, Skipped::End(4));
    }
    check(b"[}{]{}}", 1, Skipped::End(7));
}

#[test]
fn the_end_is_final() {
    let mut skip = Skip::new(0);
    assert_eq!([skip.feed(b""), skip.feed(b" }}"), skip.feed(b"[[["), skip.feed(b"")], {
        [Skipped::All, Skipped::End(2), Skipped::End(0), Skipped::End(0)]
    });
    let mut skip = Skip::new(0);
    assert_eq!([skip.feed(b" [}"), skip.feed(b"}}"), skip.feed(b"")], [Skipped::TooDeep; 3]);
}

#[test]
fn a_plain_run_ends_at_each_offset_and_each_byte() {
    for offset in 0..=200 {
        check_run(&vec![b'a'; offset]);
        for byte in 0..=u8::MAX {
            check_run(&[&vec![b'a'; offset][..], &[byte, 0xff, b'\x1f', b'"']].concat());
            check_run(&[&vec![b'a'; offset][..], &[byte, b'"', b'"', 0x80, b'\\', b'!']].concat());
        }
    }
    assert_eq!((plain_run(b""), plain_run(b"a\""), plain_run("é ü\u{7f}\n".as_bytes())), (0, 1, 6));
}

#[test]
fn this_process_uses_the_selected_implementation() {
    let off = std::env::var_os("REDRESS_SIMD").is_some_and(|value| value == "off");
    let expected = if off { Implementation::Portable } else { Implementation::best() };
    assert_eq!(implementation(), expected.name());
}

#[test]
fn the_environment_selects_the_portable_one() {
    for switch in ["off", "on", ""] {
        let mut other = Command::new(std::env::current_exe().unwrap());
        other.args(["--exact", "tests::this_process_uses_the_selected_implementation"]).env("REDRESS_SIMD", switch);
        let output = other.output().unwrap();
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && lines.contains("1 passed"), "{switch}: {lines}");
    }
}
