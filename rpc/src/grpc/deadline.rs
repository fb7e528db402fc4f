//! How long a client waits: the header `grpc-timeout`. tonic reads it in its own server alone.

use std::time::Duration;

use hyper::HeaderMap;

/// The client's patience; `None` when it says nothing, or nothing that makes sense.
pub(super) fn of(headers: &HeaderMap) -> Option<Duration> {
    /// By the protocol: so many digits, and a unit.
    const MAX_DIGITS: usize = 8;
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > MAX_DIGITS || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_digits_and_a_unit() {
        let read = |text: &'static str| {
            of(&HeaderMap::from_iter([(
                "grpc-timeout".parse().expect("a name"),
                text.parse().expect("a value"),
            )]))
        };
        assert_eq!(read("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(read("2M"), Some(Duration::from_secs(120)));
        assert_eq!(read("3S"), Some(Duration::from_secs(3)));
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("7u"), Some(Duration::from_micros(7)));
        assert_eq!(read("0n"), Some(Duration::ZERO));
        for nonsense in ["", "S", "3", "3s", "+3S", "-3S", "1.5S", "999999999S", "3é"] {
            let Ok(value) = nonsense.parse() else { continue };
            let headers = HeaderMap::from_iter([("grpc-timeout".parse().expect("a name"), value)]);
            assert_eq!(of(&headers), None, "{nonsense:?}");
        }
        assert_eq!(of(&HeaderMap::new()), None);
    }
}
