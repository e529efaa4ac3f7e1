//! Hellos: how two ends meet, and what they agree on.
//!
//! Either end draws a random *epoch* for each connection and says it until the other end has said it back. From then on all
//! frames are bound to the pair of epochs, the sender's first: what is left of an earlier connection on the line, or comes back
//! from an echo, fails its CRC.

use std::fmt;

/// The version of everything that this module specifies.
pub const VERSION: u8 = 1;

/// The first byte of a hello.
pub(crate) const KIND: u8 = 0x01;

const MAGIC: &[u8; 3] = b"fsc";

/// The smallest packet that both ends must be able to take.
pub const SMALLEST_MTU: u16 = 64;

/// The largest packet.
pub const LARGEST_MTU: u16 = 4096;

/// The most frames under way.
pub const LARGEST_WINDOW: u16 = 256;

/// What an end can do, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(pub u32);

impl Features {
    /// It answers requests.
    pub const REQUESTS: Self = Self(1);
    /// It takes mail.
    pub const MAIL: Self = Self(2);
    /// All that this version knows.
    pub const KNOWN: Self = Self(3);

    /// Whether all of `others` are among these.
    pub fn contain(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }
}

impl fmt::Display for Features {
    /// Their names; those that this version does not know by number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = (0..32).filter(|bit| self.0 >> bit & 1 == 1).map(|bit| match bit {
            0 => "requests".to_owned(),
            1 => "mail".to_owned(),
            other => format!("number {other}"),
        });
        f.write_str(&names.collect::<Vec<_>>().join(", "))
    }
}

/// What one end can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Bytes of a frame before it is stuffed, its CRC included.
    pub mtu: u16,
    /// Data frames that may be under way to it.
    pub window: u16,
    /// Bytes of them.
    pub buffer: u32,
    /// Questions that it works on at once.
    pub streams: u16,
    /// Bytes of each message that it takes before it grants more.
    pub credit: u32,
    /// Bytes of the longest message.
    pub longest: u32,
    /// What it can do.
    pub offers: Features,
    /// What the other end must be able to do.
    pub needs: Features,
}

impl Terms {
    /// The terms within the bounds of the specification.
    #[must_use]
    pub fn within_bounds(self) -> Self {
        let mtu = self.mtu.clamp(SMALLEST_MTU, LARGEST_MTU);
        Self {
            mtu,
            // Whoever acknowledges a window has to name its frames, a bit each, beside some data.
            window: self.window.clamp(1, LARGEST_WINDOW.min(mtu)),
            buffer: self.buffer.max(mtu.into()),
            streams: self.streams.max(1),
            ..self
        }
    }
}

/// How one end begins, and what it knows of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The sender has heard its own epoch from the other end, and needs no answer.
    pub settled: bool,
    /// The sender's epoch, which is not zero.
    pub epoch: u32,
    /// The receiver's epoch as the sender heard it; zero if it has not.
    pub echo: u32,
    /// What the sender can take.
    pub terms: Terms,
}

/// Two ends that can't work together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The ends are of different versions.
    #[error(
        "the other end speaks version {theirs} of the line protocol, this one version {VERSION}: update the {}",
        if *theirs < VERSION { "other one" } else { "program at this end" }
    )]
    Version {
        /// The other end's version.
        theirs: u8,
    },
    /// The other end insists on something.
    #[error("the other end needs what this one does not offer: {missing}")]
    TheyNeed {
        /// What is missing.
        missing: Features,
    },
    /// This end insists on something.
    #[error("this end needs what the other one does not offer: {missing}")]
    WeNeed {
        /// What is missing.
        missing: Features,
    },
    /// The other end's terms are beyond the specification.
    #[error("the other end's terms are beyond the specification: an MTU of {mtu} bytes, a window of {window} frames")]
    Terms {
        /// Its MTU.
        mtu: u16,
        /// Its window.
        window: u16,
    },
    /// What this end says comes back.
    #[error("this end hears itself: the line has an echo, or its two wires are joined")]
    Echo,
}

impl Hello {
    /// Appends the body to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Terms { mtu, window, buffer, streams, credit, longest, offers, needs } = self.terms;
        out.push(KIND);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[VERSION, self.settled.into()]);
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.echo.to_le_bytes());
        out.extend_from_slice(&mtu.to_le_bytes());
        out.extend_from_slice(&window.to_le_bytes());
        out.extend_from_slice(&buffer.to_le_bytes());
        out.extend_from_slice(&streams.to_le_bytes());
        out.extend_from_slice(&credit.to_le_bytes());
        out.extend_from_slice(&longest.to_le_bytes());
        out.extend_from_slice(&offers.0.to_le_bytes());
        out.extend_from_slice(&needs.0.to_le_bytes());
    }

    /// Reads a body. Nothing if it is no hello at all; a mismatch if it is one that can't be agreed with.
    pub fn read(body: &[u8], ours: &Terms) -> Option<Result<Self, Mismatch>> {
        let mut reader = Reader(body);
        if reader.take::<1>()? != [KIND] || reader.take::<3>()? != *MAGIC {
            return None;
        }
        let [version, flags] = reader.take()?;
        if version != VERSION {
            return Some(Err(Mismatch::Version { theirs: version }));
        }
        let (epoch, echo) = (reader.u32()?, reader.u32()?);
        let (mtu, window, buffer, streams) = (reader.u16()?, reader.u16()?, reader.u32()?, reader.u16()?);
        let (credit, longest) = (reader.u32()?, reader.u32()?);
        let (offers, needs) = (Features(reader.u32()?), Features(reader.u32()?));
        let terms = Terms { mtu, window, buffer, streams, credit, longest, offers, needs };
        if epoch == 0 {
            return None;
        }
        Some(terms.agree(ours).map(|()| Self { settled: flags & 1 == 1, epoch, echo, terms }))
    }
}

impl Terms {
    /// Whether an end with these terms can work with one that has `ours`.
    fn agree(&self, ours: &Self) -> Result<(), Mismatch> {
        let missing = Features(self.needs.0 & !ours.offers.0);
        if missing != Features::default() {
            return Err(Mismatch::TheyNeed { missing });
        }
        let missing = Features(ours.needs.0 & !self.offers.0);
        if missing != Features::default() {
            return Err(Mismatch::WeNeed { missing });
        }
        if *self != self.within_bounds() {
            return Err(Mismatch::Terms { mtu: self.mtu, window: self.window });
        }
        Ok(())
    }
}

/// Takes integers off the front of bytes.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hello of this version; later ones may be longer.
    const LENGTH: usize = 40;

    const TERMS: Terms = Terms {
        mtu: 512,
        window: 32,
        buffer: 0x4000,
        streams: 256,
        credit: 2048,
        longest: 0x0400_0000,
        offers: Features::KNOWN,
        needs: Features(0),
    };

    fn body(hello: &Hello) -> Vec<u8> {
        let mut out = Vec::new();
        hello.write(&mut out);
        out
    }

    #[test]
    fn hello_is_as_documented() {
        let hello = Hello { settled: false, epoch: 0x0403_0201, echo: 0, terms: TERMS };
        let written = body(&hello);
        let expected: [u8; LENGTH] = [
            1, b'f', b's', b'c', 1, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 2, 32, 0, 0, 0x40, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0, 0,
            4, 3, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(written, expected);
        assert_eq!(Hello::read(&written, &TERMS), Some(Ok(hello)));
        let later = [&written[..], b"more, of a later revision"].concat();
        assert_eq!(Hello::read(&later, &TERMS), Some(Ok(hello)));
        for cut in 0..LENGTH {
            assert_eq!(Hello::read(&written[..cut], &TERMS), None);
        }
    }

    #[test]
    fn another_version_is_a_clear_error() {
        let mut written = body(&Hello { settled: false, epoch: 1, echo: 0, terms: TERMS });
        for (version, advice) in [(2, "update the program at this end"), (0, "update the other one")] {
            written[4] = version;
            let mismatch = Hello::read(&written[..14], &TERMS).unwrap().unwrap_err();
            assert_eq!(mismatch, Mismatch::Version { theirs: version });
            assert!(mismatch.to_string().ends_with(advice), "{mismatch}");
        }
    }

    #[test]
    fn what_one_end_needs_the_other_must_offer() {
        let read = |theirs, ours: &Terms| {
            let hello = Hello { settled: true, epoch: 1, echo: 2, terms: theirs };
            Hello::read(&body(&hello), ours).unwrap().map(|_| ()).map_err(|mismatch| mismatch.to_string())
        };
        let needs = |needs| Terms { needs: Features(needs), ..TERMS };
        assert_eq!(read(needs(3), &TERMS), Ok(()));
        let error = read(needs(5), &TERMS).unwrap_err();
        assert_eq!(error, "the other end needs what this one does not offer: number 2");
        let error = read(Terms { offers: Features::MAIL, ..TERMS }, &needs(1)).unwrap_err();
        assert_eq!(error, "this end needs what the other one does not offer: requests");
        for bad in [Terms { mtu: 63, ..TERMS }, Terms { mtu: 4097, ..TERMS }, Terms { window: 0, ..TERMS }] {
            assert!(read(bad, &TERMS).is_err(), "{bad:?}");
        }
    }
}
