//! Packets: the bodies of all frames but hellos.

use super::hello::Reader;

const DATA: u8 = 0x11;
const ACK: u8 = 0x12;
const PING: u8 = 0x13;
const BYE: u8 = 0x14;

/// What precedes the map of an acknowledgement, and what follows it in a data packet.
pub(crate) const OVERHEAD: usize = 6 + 4;

/// What one end has, said in every packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ack {
    /// All data packets before this number.
    pub(crate) next: u16,
    /// The transmission that came last.
    pub(crate) latest: u16,
    /// Bit `i` of byte `j`: the data packet `next + 1 + 8 j + i`. Ends with the last one that is set.
    pub(crate) map: Vec<u8>,
}

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// Carries data.
    Data {
        /// Every data packet and every ping that goes out has the next number here, also when it goes out again.
        transmission: u16,
        /// The place of the data.
        number: u16,
        payload: &'a [u8],
    },
    /// Wants nothing.
    Ack,
    /// Wants an acknowledgement.
    Ping { transmission: u16 },
    /// The sender closes the connection.
    Bye,
}

/// Appends the body of a packet to `out`.
pub(crate) fn write(ack: &Ack, content: Content<'_>, out: &mut Vec<u8>) {
    out.push(match content {
        Content::Data { .. } => DATA,
        Content::Ack => ACK,
        Content::Ping { .. } => PING,
        Content::Bye => BYE,
    });
    out.extend_from_slice(&ack.next.to_le_bytes());
    out.extend_from_slice(&ack.latest.to_le_bytes());
    // A window is no more than 256 packets, so its map no more than 32 bytes.
    out.push(ack.map.len() as u8);
    out.extend_from_slice(&ack.map);
    match content {
        Content::Data { transmission, number, payload } => {
            out.extend_from_slice(&transmission.to_le_bytes());
            out.extend_from_slice(&number.to_le_bytes());
            out.extend_from_slice(payload);
        }
        Content::Ping { transmission } => out.extend_from_slice(&transmission.to_le_bytes()),
        Content::Ack | Content::Bye => {}
    }
}

/// Reads the body of a packet; nothing if it is none.
pub(crate) fn read(body: &[u8]) -> Option<(Ack, Content<'_>)> {
    let mut reader = Reader(body);
    let [kind] = reader.take()?;
    let (next, latest) = (reader.u16()?, reader.u16()?);
    let [length] = reader.take()?;
    let (map, rest) = reader.0.split_at_checked(length.into())?;
    let ack = Ack { next, latest, map: map.to_vec() };
    reader = Reader(rest);
    let content = match kind {
        DATA => {
            let (transmission, number) = (reader.u16()?, reader.u16()?);
            let payload = rest.get(4..).unwrap_or_default();
            Content::Data { transmission, number, payload }
        }
        ACK => Content::Ack,
        PING => Content::Ping { transmission: reader.u16()? },
        BYE => Content::Bye,
        _ => return None,
    };
    Some((ack, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(ack: &Ack, content: Content<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        write(ack, content, &mut out);
        out
    }

    /// The vectors of the documentation (`serial.rs`).
    #[test]
    fn packets_are_as_documented() {
        let ack = Ack { next: 0x0102, latest: 0x0304, map: vec![0b101] };
        let data = Content::Data { transmission: 0x0506, number: 0x0708, payload: b"hi" };
        let none = Ack::default();
        for (ack, content, bytes) in [
            (&ack, data, &[0x11, 2, 1, 4, 3, 1, 5, 6, 5, 8, 7, b'h', b'i'][..]),
            (&ack, Content::Ack, &[0x12, 2, 1, 4, 3, 1, 5]),
            (&none, Content::Ping { transmission: 0x0506 }, &[0x13, 0, 0, 0, 0, 0, 6, 5]),
            (&none, Content::Bye, &[0x14, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(body(ack, content), bytes);
            assert_eq!(read(bytes), Some((ack.clone(), content)));
        }
    }

    #[test]
    fn cut_packets_are_none() {
        let ack = Ack { next: 1, latest: 2, map: vec![1, 2] };
        let written = body(&ack, Content::Ping { transmission: 3 });
        assert!((0..written.len()).all(|cut| read(&written[..cut]).is_none()));
        assert_eq!(read(&[0x77, 0, 0, 0, 0, 0]), None);
    }
}
