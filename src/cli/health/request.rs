//! One HTTP request, as far as it has come: bytes in, and no effect.

/// The longest request, its headers included.
pub(super) const LONGEST: usize = 8 << 10;

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// True for HEAD: the headers only.
    pub(super) head: bool,
    /// The path, without a query.
    pub(super) path: String,
}

/// What so many bytes of a request come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// More has to come.
    Incomplete,
    /// Whatever comes, it is none that is answered; why.
    Bad(&'static str),
    /// All of it is there.
    Whole(Request),
}

const NO_LINE: &str = "this is no HTTP request";

/// Reads a request of HTTP/1.0 or 1.1 up to the end of its headers. A body is not looked at.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let mut rest = bytes;
    // Some clients end a request before with one line end too many.
    while let Some(after) = rest.strip_prefix(b"\r\n").or(rest.strip_prefix(b"\n")) {
        rest = after;
    }
    let Some((line, mut rest)) = line(rest) else {
        // What begins a TLS connection has no line end; its client need not wait for ours.
        let begins = rest.strip_suffix(b"\r").unwrap_or(rest);
        return match begins.iter().all(|b| matches!(b, b' '..=b'~')) {
            true if bytes.len() < LONGEST => Parsed::Incomplete,
            true => Parsed::Bad("the request is too long"),
            false => Parsed::Bad(NO_LINE),
        };
    };
    let (request, needs_host) = match request_line(line) {
        Ok(request) => request,
        Err(why) => return Parsed::Bad(why),
    };
    let mut hosts = 0;
    loop {
        match self::line(rest) {
            None if bytes.len() < LONGEST => return Parsed::Incomplete,
            None => return Parsed::Bad("the request is too long"),
            Some((b"", _)) => break,
            Some((header, after)) => {
                match header_name(header) {
                    None => return Parsed::Bad("a header is no header"),
                    Some(name) => hosts += u8::from(name.eq_ignore_ascii_case(b"host")),
                }
                // A third one changes nothing.
                hosts = hosts.min(2);
                rest = after;
            }
        }
    }
    if hosts > 1 || (needs_host && hosts == 0) {
        return Parsed::Bad("a request of HTTP/1.1 has one Host header");
    }
    Parsed::Whole(request)
}

/// The first line, without its end, and what follows; `None` where it has no end yet.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    let line = &bytes[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), &bytes[end + 1..]))
}

/// What is asked for, and whether by HTTP/1.1, which must name its host.
fn request_line(line: &[u8]) -> Result<(Request, bool), &'static str> {
    let text = std::str::from_utf8(line).map_err(|_| NO_LINE)?;
    if !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return Err(NO_LINE);
    }
    let words: Vec<&str> = text.split(' ').collect();
    let [method, target, version] = words[..] else {
        return Err(NO_LINE);
    };
    let minor = version.strip_prefix("HTTP/1.").map(str::as_bytes);
    let needs_host = match minor {
        Some([b'0']) => false,
        Some([b'1'..=b'9']) => true,
        _ => return Err("only HTTP/1.0 and 1.1 are spoken here"),
    };
    let head = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err("only GET and HEAD are answered"),
    };
    let path = path(target).ok_or("what is asked for is no path")?;
    let path = path.to_owned();
    Ok((Request { head, path }, needs_host))
}

/// The path of `/path?query`, or of the whole URL that a proxy is sent.
fn path(target: &str) -> Option<&str> {
    let after_host = |url: &'static str| {
        let (scheme, rest) = target.split_at_checked(url.len())?;
        if !scheme.eq_ignore_ascii_case(url) {
            return None;
        }
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        Some(&rest[at..])
    };
    let target = match after_host("http://").or_else(|| after_host("https://")) {
        Some("") => "/",
        Some(path) if path.starts_with('?') => "/",
        Some(path) => path,
        None => target,
    };
    let path = target.split('?').next().unwrap_or(target);
    path.starts_with('/').then_some(path)
}

/// The name of a header line; `None` where it is none. One that goes on from the line before is
/// none either, as RFC 9112 has it.
fn header_name(line: &[u8]) -> Option<&[u8]> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = line.split_at(colon);
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let text = |b: &u8| *b == b'\t' || (*b >= b' ' && *b != 0x7f);
    let good = !name.is_empty() && name.iter().all(token) && value.iter().all(text);
    good.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(head: bool, path: &str) -> Parsed {
        let path = path.to_owned();
        Parsed::Whole(Request { head, path })
    }

    fn is_bad(text: impl AsRef<[u8]>) -> bool {
        matches!(parse(text.as_ref()), Parsed::Bad(_))
    }

    #[test]
    fn what_clients_send() {
        for (text, want) in [
            (
                "GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
                whole(false, "/health"),
            ),
            ("HEAD /metrics HTTP/1.0\r\n\r\n", whole(true, "/metrics")),
            ("GET / HTTP/1.0\n\n", whole(false, "/")),
            (
                "\r\n\r\nGET /a?b=/c HTTP/1.0\r\nA:\r\nB: \u{e4}\t.\r\n\r\nbody",
                whole(false, "/a"),
            ),
            (
                "GET http://h:80/health?x HTTP/1.1\r\nhOST: h\r\n\r\n",
                whole(false, "/health"),
            ),
            ("GET HTTPS://h?x HTTP/1.0\r\n\r\n", whole(false, "/")),
            ("", Parsed::Incomplete),
            ("GET /health HTT", Parsed::Incomplete),
            ("GET /health HTTP/1.0\r", Parsed::Incomplete),
            ("GET /health HTTP/1.0\r\nA: b\r\n", Parsed::Incomplete),
        ] {
            assert_eq!(parse(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn what_others_send() {
        for text in [
            "GET /health\r\n",
            "GET  /health HTTP/1.0\r\n",
            "GET /health HTTP/1.0 \r\n",
            "GET /health HTTP/2.0\r\n",
            "GET /health HTTP/1.10\r\n",
            "GET health HTTP/1.0\r\n",
            "GET * HTTP/1.0\r\n",
            "get /health HTTP/1.0\r\n",
            "POST /health HTTP/1.0\r\n",
            "PRI * HTTP/2.0\r\n",
            "GET /health HTTP/1.1\r\n\r\n",
            "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET /health HTTP/1.0\r\nno header\r\n",
            "GET /health HTTP/1.0\r\n: x\r\n",
            "GET /health HTTP/1.0\r\nA : x\r\n",
            "GET /health HTTP/1.0\r\nA: x\r\n more\r\n",
            "GET /health HTTP/1.0\r\nA: \0\r\n",
            "GET /\u{1b}[2J HTTP/1.0\r\n",
            "\u{16}\u{3}\u{1}",
        ] {
            assert!(is_bad(text), "{text:?}");
        }
        let endless = format!("GET / HTTP/1.0\r\n{}", "A: b\r\n".repeat(2000));
        assert!(is_bad(&endless[..LONGEST]));
        assert!(is_bad("A".repeat(LONGEST)));
    }

    proptest! {
        /// Nothing makes it panic, and what is settled stays settled whatever else comes.
        #[test]
        fn nothing_is_taken_back(bytes in "(GET|HEAD|X|\\x16)? ?/?[ -~\r\n:]{0,60}(\r\n){0,2}", cut in 0usize..80) {
            let bytes = bytes.as_bytes();
            let cut = cut.min(bytes.len());
            let before = parse(&bytes[..cut]);
            if before != Parsed::Incomplete {
                prop_assert_eq!(before, parse(bytes));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
