//! Durations as Go writes them (`time.ParseDuration`): what a trace's `timeout` is given as.

use std::time::Duration;

/// Units by their nanoseconds. Micro has two signs.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("\u{b5}s", 1e3),
    ("\u{3bc}s", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 6e10),
    ("h", 3.6e12),
];

/// Reads `2m30s`, `1.5h`, `300ms` or `0`. What is negative has passed already, and what is too long for a clock is the
/// longest there is.
///
/// # Errors
/// Go's words for what it cannot read.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let invalid = || format!("time: invalid duration {text:?}");
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut seconds = 0.0;
    let mut read_one = false;
    while !rest.is_empty() {
        let (number, after) = split_at_first(rest, |it| !it.is_ascii_digit() && it != '.');
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let (unit, after) = split_at_first(after, |it| it.is_ascii_digit() || it == '.');
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {text:?}"));
        }
        let nanos = UNITS.iter().find(|(name, _)| *name == unit);
        let (_, nanos) = nanos.ok_or_else(|| format!("time: unknown unit {unit:?} in duration {text:?}"))?;
        seconds += number * nanos / 1e9;
        rest = after;
        read_one = true;
    }
    match (read_one, negative) {
        (false, _) => Err(invalid()),
        (true, true) => Ok(Duration::ZERO),
        (true, false) => Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)),
    }
}

fn split_at_first(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let ms = |text| parse(text).expect("sound").as_millis();
        assert_eq!([ms("300ms"), ms("1.5s"), ms("2m30s"), ms("+1h")], [300, 1_500, 150_000, 3_600_000]);
        assert_eq!([ms("0"), ms("-5s"), ms(".5s"), ms("1500us")], [0, 0, 500, 1]);
        assert_eq!(parse("2\u{b5}s"), Ok(Duration::from_micros(2)));
        assert_eq!(parse(&format!("{}h", "9".repeat(300))), Ok(Duration::MAX));
    }

    #[test]
    fn what_is_no_duration_is_refused_in_gos_words() {
        let error = |text| parse(text).expect_err("unsound");
        assert_eq!(error(""), "time: invalid duration \"\"");
        assert_eq!(error("-"), "time: invalid duration \"-\"");
        assert_eq!(error("soon"), "time: invalid duration \"soon\"");
        assert_eq!(error("1.2.3s"), "time: invalid duration \"1.2.3s\"");
        assert_eq!(error("5"), "time: missing unit in duration \"5\"");
        assert_eq!(error("5 s"), "time: unknown unit \" s\" in duration \"5 s\"");
        assert_eq!(error("1d"), "time: unknown unit \"d\" in duration \"1d\"");
    }
}
