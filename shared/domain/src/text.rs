//! Characters that nobody sees.

/// Whether a character controls, hides or reorders what stands around it, so that what is read is not what
/// is there (<https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing>). Line ends and tabs are
/// among them.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_hides_or_reorders_is_told_from_what_is_seen() {
        assert!("\0\n\t\r\u{1b}\u{200b}\u{202e}\u{2066}\u{feff}\u{e0041}".chars().all(is_hidden));
        assert!(!"a \u{a0}ß北–“é😀".chars().any(is_hidden));
    }
}
