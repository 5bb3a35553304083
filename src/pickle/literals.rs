//! Numbers and strings as the text protocols (0 and 1) and the long integers write them.

use super::Value;
use std::borrow::Cow;

/// Digits of a whole number written as text; Python itself reads no more than 4300.
const DIGITS: usize = 4300;

/// A whole number in decimal digits.
pub(super) fn decimal<'a>(text: &str) -> Result<Value<'a>, String> {
    if let Ok(v) = text.trim().parse::<i64>() {
        return Ok(Value::Int(v));
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || digits.len() > DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("'{}' is no whole number", short(text)));
    }
    let mut bytes: Vec<u8> = Vec::new();
    for digit in digits.bytes() {
        let mut carry = u32::from(digit - b'0');
        for byte in &mut bytes {
            carry += u32::from(*byte) * 10;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push(carry as u8);
        }
    }
    bytes.push(0);
    if negative {
        let mut carry = 1;
        for byte in &mut bytes {
            let sum = u16::from(!*byte) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
    }
    Ok(whole(Cow::Owned(bytes)))
}

/// Two's complement, least byte first.
pub(super) fn whole(bytes: Cow<[u8]>) -> Value {
    let sign = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
    let fits = bytes.len() <= 8 || bytes[8..].iter().all(|&b| b == sign) && (bytes[7] & 0x80 != 0) == (sign != 0);
    if !fits {
        return Value::BigInt(bytes);
    }
    let mut eight = [sign; 8];
    let n = bytes.len().min(8);
    eight[..n].copy_from_slice(&bytes[..n]);
    Value::Int(i64::from_le_bytes(eight))
}

/// `\uXXXX` and `\UXXXXXXXX`, everything else Latin-1.
pub(super) fn raw_unicode(line: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    if let Ok(text) = std::str::from_utf8(line)
        && text.is_ascii()
        && !text.contains('\\')
    {
        return Ok(Cow::Borrowed(text));
    }
    let mut text = String::with_capacity(line.len());
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        let width = match line.get(at..at + 2) {
            Some(b"\\u") => 4,
            Some(b"\\U") => 8,
            _ => {
                text.push(char::from(byte));
                at += 1;
                continue;
            }
        };
        let point = line
            .get(at + 2..at + 2 + width)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u32::from_str_radix(hex, 16).ok());
        text.push(point.and_then(char::from_u32).ok_or("text with a broken escape")?);
        at += 2 + width;
    }
    Ok(Cow::Owned(text))
}

/// Python 2's `repr` of a `str`.
pub(super) fn quoted(line: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    let inside = match line {
        [open @ (b'\'' | b'"'), inside @ .., close] if open == close => inside,
        _ => return Err("a string without its quotes"),
    };
    if !inside.contains(&b'\\') {
        return Ok(Cow::Borrowed(inside));
    }
    let broken = "a string with a broken escape";
    let mut bytes = Vec::with_capacity(inside.len());
    let mut rest = inside.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next().ok_or(broken)? {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            same @ (b'\\' | b'\'' | b'"') => same,
            b'x' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16)).ok_or(broken);
                (digit()? * 16 + digit()?) as u8
            }
            _ => return Err(broken),
        });
    }
    Ok(Cow::Owned(bytes))
}

/// The beginning, for messages.
pub(super) fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
