//! Serial lines: requests and mail over UARTs, serial servers, and whatever else carries bytes both ways.
//!
//! ```text
//!   Transport ─ SerialTransport ─ Line ┬ Port, TcpStream, any Stream          I/O
//!   Handler ── Service ───────────────┘│
//!                                      Link ─ Mux ─ Arq ─ frame              no I/O: bytes and time in, bytes and events out
//! ```
//!
//! * [`SerialTransport`] takes addresses such as `serial:/dev/ttyUSB0?baud=115200` and `serial:tcp://HOST:PORT`, and
//!   streams that an embedder has opened. Options are `baud`, `mtu` and `flow` (`none` or `hardware`). Both ends ask
//!   and answer.
//! * [`link`] is one end of a line without I/O, for those who have a port of their own; it consists of
//! * [`frame`], which makes packets out of bytes, [`hello`], by which two ends meet, [`arq`], which loses and repeats
//!   nothing, and streams of messages, which share the line.
//!
//! A line can be tapped and interfered with: it assures nothing, and mail that must not be read is sealed before it
//! comes here. Whoever holds the other end may ask as the principal that this end's [`LineConfig`] names, or not at all
//! if it names none.
//!
//! # The protocol, version 1
//!
//! This is all that a microcontroller needs. Integers are little-endian, unless they are LEB128, as *var* (seven bits a
//! byte, the lowest first, the top bit set in all bytes but the last; five bytes at most, less than 2³²). The line
//! carries 8 bits a character, every value, in order.
//!
//! ## Frames
//!
//! ```text
//! 00 │ COBS( body ‖ crc ) │ 00          crc: 4 bytes, CRC-32C of binding ‖ body
//! ```
//!
//! A receiver takes what stands between two zeros, if anything does; undoes COBS; and drops it without a word if that
//! fails, if it is longer than its MTU, or if the CRC is wrong. The MTU counts body and CRC, before stuffing: from 64
//! to 4096 bytes. CRC-32C is that of iSCSI: polynomial 1EDC6F41, reflected, begun with all ones, inverted in the end;
//! of the text `123456789` it is E3069283. The *binding* is not sent: nothing in a hello, and eight bytes in all other
//! frames, the epoch of who sends and the epoch of who receives.
//!
//! ## Hellos
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 1 | `01` |
//! | 1 | 3 | `fsc` in ASCII |
//! | 4 | 1 | version: 1. With another, only what precedes is as it is here, and the ends can't work together |
//! | 5 | 1 | bit 0, *settled*: the sender has heard its own epoch from the other end. Other bits are not looked at |
//! | 6 | 4 | the sender's epoch: drawn at random for each connection, not zero |
//! | 10 | 4 | the receiver's epoch, as the sender heard it; zero if it did not |
//! | 14 | 2 | MTU that the sender takes. Neither end sends more than the smaller of the two |
//! | 16 | 2 | data packets that may be under way to the sender, 1 to 256 and no more than the MTU |
//! | 18 | 4 | bytes of their payload that may be |
//! | 22 | 2 | questions that the sender works on at once; three quarters, rounded up, are for requests |
//! | 24 | 4 | bytes of each message that the sender takes without a grant |
//! | 28 | 4 | bytes of the longest message that it takes |
//! | 32 | 4 | features that it offers: bit 0, it answers requests; bit 1, it takes mail |
//! | 36 | 4 | features that the other end must offer |
//!
//! Later revisions may add to the end, up to 60 bytes in all.
//!
//! An end has a *next epoch*, drawn at random, which it says in its hellos until a connection begins with it.
//!
//! 1. Without a connection it says hello: at once, then after pauses that double from 0.1 s up to 5 s.
//! 2. A hello that names its next epoch, from an epoch that is not its connection's: a connection between the two
//!    begins, in place of the one that was. Unless the hello was settled, it is answered by a settled one.
//! 3. A hello that names no epoch, from an epoch that is not its connection's: it is answered by one that names it, and
//!    a connection that there is goes on. So only an end that has really begun anew ends a connection, and not an old
//!    word that comes late.
//! 4. A hello of its connection that names its own epoch and is not settled: it is answered by a settled one.
//! 5. A frame that is bound to its next epoch and the one that it heard last: a connection begins as in 2, and the
//!    frame is the first of it.
//! 6. All other hellos are ignored.
//!
//! ## Packets
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 1 | `11` data, `12` acknowledgement, `13` ping, `14` bye |
//! | 1 | 2 | all data packets before this number have come |
//! | 3 | 2 | the latest transmission that came; zero if none has |
//! | 5 | 1 | m, bytes of the map, up to 32 |
//! | 6 | m | bit i of byte j: the data packet of number (that at 1) + 1 + 8 j + i has come |
//! | 6+m | 2 | data and ping: the transmission. Each has the next one, beginning with 1, also when data goes out again |
//! | 8+m | 2 | data: the number, beginning with 0. It stays when data goes out again |
//! | 10+m | | data: the payload, to the end |
//!
//! Numbers and transmissions wrap. Data and pings are to be acknowledged, by the next packet that goes out anyhow or by
//! one for this purpose. A line keeps the order: when a transmission has come, all data packets whose last transmission
//! was before it, and that have not come, are lost and go out again. If nothing comes back for the round trip and four
//! times its variation, the oldest one goes out again, then with pauses that double up to half a second. A receiver
//! hands on payloads in order, each once. It drops what is beyond its window, and does not acknowledge it. An end that
//! heard nothing for a while pings; one that hears nothing for long gives the connection up. A bye ends the connection.
//!
//! ## Records
//!
//! A payload consists of whole records. Whoever asks counts its questions by ids from 0. Questions are 1 requests and 2
//! mail; replies are 3 answers, 4 lives and 5 failures.
//!
//! | bytes | what |
//! |---|---|
//! | `10` + kind, id, length of the message, n (*var*), n bytes | a message begins |
//! | `21`, id, n (*var*), n bytes | the question of this id goes on |
//! | `22`, id, n (*var*), n bytes | the reply to it goes on |
//! | `31`, id, length (*var*) | the question with this id may go on up to this length. From who is asked |
//! | `32`, id, length (*var*) | the reply with this id may go on up to this length. From who asks |
//! | `40`, id (*var*) | the reply to this question is of no interest any more. From who asks |
//!
//! An end that is asked may reply before it has heard all; the rest of the question need not be sent, and does not
//! count. Records for messages that have ended are to be ignored. Whatever else does not fit ends the connection.
//!
//! ## Messages
//!
//! A request is CBOR: `{"list": null}`, or a chain as in `fsc-core/src/bus/codec.rs`, as are answers and failures.
//! Arrays of numbers are typed arrays (RFC 8746). Mail is a batch of envelopes (`fsc-core/src/envelope.rs`), its reply
//! the 16 bytes of the node's life. Empty mail asks whether somebody is there.
//!
//! ## Vectors
//!
//! A node with epoch A1A2A3A4 and a small device with epoch B1B2B3B4, which asks for the list; the node answers that
//! there is none. All bytes on the line:
//!
//! ```text
#![doc = include_str!("serial/vectors.txt")]
//! ```

mod address;
pub mod arq;
mod codec;
mod config;
mod fault;
pub mod frame;
pub mod hello;
mod line;
pub mod link;
mod mux;
mod packet;
mod port;
mod serving;
#[cfg(test)]
mod testing;
mod transport;
#[cfg(test)]
mod vectors;

pub use config::LineConfig;
pub use fault::{Fault, Hint};
pub use mux::{AskId, Kind};
pub use port::{Opener, Stream};
pub use transport::SerialTransport;
