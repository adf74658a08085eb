//! Bytes known from Redis, a `Vec` as the oracle, and packs that are none.

use super::*;
use crate::engine::rng::Rng;

fn pack_of(texts: &[&str]) -> Listpack {
    let mut pack = Listpack::new();
    texts.iter().for_each(|text| pack.push_back(Element::of(text.as_bytes())));
    pack
}

fn texts(pack: &Listpack) -> Vec<Vec<u8>> {
    pack.iter().map(|element| element.to_vec()).collect()
}

/// The specimen of the file's head, out of `RPUSH l ada 1815 -7 lovelace`, `DUMP l` in Redis
/// 7.0.15.
#[test]
fn specimen() {
    let pack = pack_of(&["ada", "1815", "-7", "lovelace"]);
    let expected = b"\x1c\0\0\0\x04\0\x83ada\x04\xc7\x17\x02\xdf\xf9\x02\x88lovelace\x09\xff";
    assert_eq!(pack.as_bytes(), expected);
}

/// Encodings by their first bytes and length, from the specification.
#[test]
fn every_integer_width() {
    let cases: [(i64, &[u8]); 16] = [
        (0, &[0x00]),
        (127, &[0x7F]),
        (128, &[0xC0, 0x80]),
        (4095, &[0xCF, 0xFF]),
        (-1, &[0xDF, 0xFF]),
        (-4096, &[0xD0, 0x00]),
        (4096, &[0xF1, 0x00, 0x10]),
        (-32_768, &[0xF1, 0x00, 0x80]),
        (32_768, &[0xF2, 0x00, 0x80, 0x00]),
        (-8_388_608, &[0xF2, 0x00, 0x00, 0x80]),
        (8_388_608, &[0xF3, 0x00, 0x00, 0x80, 0x00]),
        (-2_147_483_648, &[0xF3, 0x00, 0x00, 0x00, 0x80]),
        (2_147_483_648, &[0xF4, 0, 0, 0, 0x80, 0, 0, 0, 0]),
        (-2_147_483_649, &[0xF4, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF]),
        (i64::MAX, &[0xF4, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]),
        (i64::MIN, &[0xF4, 0, 0, 0, 0, 0, 0, 0, 0x80]),
    ];
    for (value, bytes) in cases {
        let pack = pack_of(&[&value.to_string()]);
        assert_eq!(&pack.as_bytes()[HEADER..pack.size() - 2], bytes, "{value}");
        assert_eq!(pack.as_bytes()[pack.size() - 2] as usize, bytes.len());
        assert_eq!(pack.get(0), Some(Element::Int(value)));
    }
}

#[test]
fn every_string_width_from_both_ends() {
    for len in [0, 1, 63, 64, 126, 127, 4095, 4096, 16_377, 16_378, 16_383, 100_000, 2_097_150] {
        let text = vec![b'x'; len];
        let mut pack = pack_of(&["first"]);
        pack.push_back(Element::of(&text));
        pack.push_back(Element::of(b"last"));
        assert_eq!(pack.iter().nth(1), Some(Element::Bytes(&text)));
        assert_eq!(pack.iter().rev().nth(1), Some(Element::Bytes(&text)));
        assert_eq!(pack.iter().rev().nth(2), Some(Element::Bytes(b"first")));
    }
}

/// Where one more byte of back length begins, as Redis has it.
#[test]
fn back_lengths() {
    let back = |text_len: usize, head: usize| {
        Listpack::size_of(Element::Bytes(&vec![b'x'; text_len])) - text_len - head
    };
    assert_eq!([back(125, 2), back(126, 2)], [1, 2]);
    assert_eq!([back(16_377, 5), back(16_378, 5)], [2, 3]);
    assert_eq!([back(2_097_145, 5), back(2_097_146, 5)], [3, 4]);
    assert_eq!(pack_of(&["x".repeat(126).as_str()]).as_bytes()[HEADER + 128..], [1, 0x80, END]);
}

/// Beyond 65534 elements the header stops counting, as the specification has it.
#[test]
fn counts_past_the_header() {
    let mut pack = Listpack::new();
    (0..65_534).for_each(|_| pack.push_back(Element::Int(1)));
    assert_eq!(pack.as_bytes()[4..6], [0xFE, 0xFF]);
    (0..3).for_each(|_| pack.push_back(Element::Int(1)));
    assert_eq!((&pack.as_bytes()[4..6], pack.len()), (&[0xFF, 0xFF][..], 65_537));
    pack.delete(HEADER, 65_530);
    assert_eq!((&pack.as_bytes()[4..6], pack.len()), (&[7, 0][..], 7));
}

/// Integers and strings of all widths, short ones mostly.
fn random_text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(8) {
        0..3 => (rng.next_u64() as i64 >> rng.below(64)).to_string().into_bytes(),
        7 => vec![b'y'; rng.below(5000)],
        _ => vec![b'a' + rng.below(26) as u8; rng.below(100)],
    }
}

/// A pack and its oracle stay equal, seen from both ends, and the header tells the truth.
fn check(pack: &Listpack, model: &[Vec<u8>]) {
    assert_eq!(pack.len(), model.len());
    assert!(texts(pack) == model);
    assert!(pack.iter().rev().map(|e| e.to_vec()).eq(model.iter().rev().cloned()));
    let bytes = pack.as_bytes();
    assert_eq!(u32::from_le_bytes(*bytes.first_chunk().unwrap()) as usize, bytes.len());
    assert_eq!(bytes.last(), Some(&END));
}

#[test]
fn follows_a_vec_through_random_changes() {
    let mut rng = Rng::new(3);
    let (mut pack, mut model) = (Listpack::new(), Vec::new());
    for step in 0..6000 {
        let text = random_text(&mut rng);
        let element = Element::of(&text);
        let at = rng.below(model.len() + 1);
        let offset = pack.seek(at).unwrap();
        // Phases of growth and of decline, so that every size between 0 and some hundreds is met.
        let growing = step % 1000 < 600;
        match rng.below(if growing { 5 } else { 9 }) {
            0 => {
                pack.push_front(element);
                model.insert(0, text);
            }
            1 => {
                pack.push_back(element);
                model.push(text);
            }
            2 | 3 => {
                let next = pack.insert(offset, element);
                model.insert(at, text);
                assert_eq!(pack.seek(at + 1), Some(next));
            }
            4 if at < model.len() => {
                let next = pack.replace(offset, element);
                model[at] = text;
                assert_eq!(pack.seek(at + 1), Some(next));
            }
            _ => {
                let n = rng.below(3).min(model.len() - at);
                assert_eq!(pack.delete(offset, n), n);
                model.drain(at..at + n);
            }
        }
        if step % 10 == 0 {
            check(&pack, &model);
            assert!(model.get(at).is_none_or(|text| pack.get(at).unwrap().to_vec() == *text));
            assert_eq!(pack.get(model.len()), None);
        }
    }
}

#[test]
fn splits_retains_and_finds() {
    let mut left = pack_of(&["a", "1", "b", "2", "1", "3"]);
    assert_eq!(left.find(Element::Int(1), 2), left.seek(4));
    assert_eq!(left.find(Element::Int(1), 1), left.seek(1));
    assert_eq!(left.find(Element::of(b"3"), 2), None);
    assert!(left.range(2..4).rev().eq([Element::Int(2), Element::of(b"b")]));
    assert!(left.range(5..9).eq([Element::Int(3)]));
    assert_eq!(left.range(6..7).count(), 0);
    let right = left.split_off(left.seek(2).unwrap());
    check(&left, &[b"a".to_vec(), b"1".to_vec()]);
    check(&right, &[b"b".to_vec(), b"2".to_vec(), b"1".to_vec(), b"3".to_vec()]);
    let mut odd = right;
    odd.retain(|element| element != Element::Int(2));
    check(&odd, &[b"b".to_vec(), b"1".to_vec(), b"3".to_vec()]);
}

/// In at one end, out at the other: the room passed by is used again.
#[test]
fn a_queue_does_not_grow() {
    for front_in in [false, true] {
        let (mut pack, mut most) = (Listpack::new(), 0);
        for n in 0..20_000 {
            if front_in {
                pack.push_front(Element::Int(n));
            } else {
                pack.push_back(Element::Int(n));
            }
            if n >= 100 {
                pack.delete(pack.seek(if front_in { 100 } else { 0 }).unwrap(), 1);
            }
            most = most.max(pack.allocated());
        }
        assert_eq!(pack.len(), 100);
        assert!(most < 2 * pack.size(), "{most} for {}", pack.size());
    }
}

/// Eight fields with values of eight bytes: nothing is allocated that the allocator would not round
/// up to.
#[test]
fn a_small_pack_has_no_spare_room() {
    let mut pack = Listpack::new();
    for n in 0..8 {
        pack.push_back(Element::of(format!("field{n}").as_bytes()));
        pack.push_back(Element::of(b"vvvvvvvv"));
        assert!(pack.allocated() < pack.size() + 16, "{} for {}", pack.allocated(), pack.size());
    }
}

/// In at both ends by turns: neither side takes the room of the other.
#[test]
fn alternating_ends_move_seldom() {
    let (mut pack, mut moves, mut place) = (Listpack::new(), 0, std::ptr::null());
    for n in 0..4000 {
        pack.push_front(Element::Int(n));
        pack.push_back(Element::Int(n));
        moves += usize::from(pack.bytes.as_ptr() != place);
        place = pack.bytes.as_ptr();
    }
    assert!(moves < 100, "{moves}");
}

/// Every single-byte corruption, every truncation and plain noise are walked without reading
/// outside.
#[test]
fn corrupt_bytes_end_the_walk() {
    let mut pack = pack_of(&["ada", "1815", "-7", "70000", "5000000000", "12345678"]);
    pack.push_back(Element::Bytes(&[b'z'; 300]));
    let good = pack.as_bytes().to_vec();
    let walk = |bytes: &[u8]| {
        assert!(Iter::over(bytes).count() <= bytes.len());
        assert!(Iter::over(bytes).rev().count() <= bytes.len());
        let mut both = Iter::over(bytes);
        while both.next().is_some() && both.next_back().is_some() {}
    };
    for at in 0..good.len() {
        walk(&good[..at]);
        for value in 0..=255 {
            let mut bad = good.clone();
            bad[at] = value;
            walk(&bad);
        }
    }
    // An element whose back length is missing is none.
    assert_eq!(Iter::over(b"\x0c\0\0\0\x01\0\x83ada\xff").count(), 0);
    let mut rng = Rng::new(4);
    for _ in 0..2000 {
        let noise: Vec<u8> = (0..rng.below(60)).map(|_| rng.next_u64() as u8).collect();
        walk(&noise);
    }
}

#[test]
fn an_explanation_names_every_byte() {
    let long = vec![b'x'; 5000];
    let mut pack = Listpack::new();
    assert_eq!(pack.explain().end(), 7);
    for text in [&b"a"[..], b"", &long[..63], &long[..64], &long] {
        pack.push_back(Element::Bytes(text));
    }
    for number in [0, 127, -1, 4095, 30_000, -8_000_000, 2_000_000_000, i64::MIN] {
        pack.push_back(Element::Int(number));
    }

    let dump = pack.explain();
    assert_eq!(dump.end(), pack.size());
    let integers = dump.parts().iter().filter(|part| part.name == "integer");
    let integers: Vec<_> =
        integers.map(|part| format!("{} {}", part.value, part.meaning)).collect();
    let expected = ["0 in 7", "127 in 7", "-1 in 13", "4095 in 13", "30000 in 16"];
    assert!(integers.iter().zip(expected).all(|(it, start)| it.starts_with(start)), "{integers:?}");
    assert_eq!(
        integers[5..],
        ["-8000000 in 24 bits", "2000000000 in 32 bits", "-9223372036854775808 in 64 bits"]
    );
}
