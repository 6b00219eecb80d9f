//! Names of cells, agents and subjects, made fit to be names of files.

use std::fmt::Write as _;

use super::text::is_unsafe;

/// Longest name that is taken over whole; the rest of a file name's 255 bytes is for what is put
/// around it.
const LONGEST: usize = 160;

/// A text as a single harmless file name: no slash, no leading dot, no control character, not too
/// long. No two texts have the same name, but for long ones whose checksums of 128 bits agree.
#[must_use]
pub fn safe(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let is_odd = matches!(c, '/' | '%') || is_unsafe(c) || (at == 0 && c == '.');
        if !is_odd {
            name.push(c);
            continue;
        }
        let mut bytes = [0; 4];
        for byte in c.encode_utf8(&mut bytes).bytes() {
            let _ = write!(name, "%{byte:02x}");
        }
    }
    if name.is_empty() {
        // What a percent sign stands before is always two digits, but here and below.
        return "%".to_owned();
    }
    if name.len() <= LONGEST {
        return name;
    }
    let mut cut = LONGEST - 40;
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}%~{:032x}", &name[..cut], checksum(text.as_bytes()))
}

/// FNV-1a with 128 bits: the same in every version of the program, which std's hash is not.
fn checksum(bytes: &[u8]) -> u128 {
    let step = |sum: u128, byte: &u8| {
        (sum ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    };
    let start = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    bytes.iter().fold(start, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_is_published() {
        assert_eq!(checksum(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(safe("portal-1/claude"), "portal-1%2fclaude");
    }
}
