//! What stands behind `serial:`.
//!
//! ```text
//! serial:/dev/ttyUSB0?baud=115200&flow=hardware     a port of this machine; COM3 on Windows
//! serial:tcp://10.0.0.7:4000?baud=115200            a serial server that carries raw bytes
//! serial:NAME                                       a stream that was attached under this name
//! ```

use std::fmt;

use fsc_core::transport::Address;

use super::hello::{LARGEST_MTU, SMALLEST_MTU};

/// Where nothing is said.
const BAUD: u32 = 115_200;

/// What an address says of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) device: Device,
    pub(super) options: Options,
}

/// What carries the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Device {
    Port(String),
    Tcp(String),
}

/// How it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Bits per second; without it, somebody else sets the pace.
    pub(super) baud: Option<u32>,
    pub(super) mtu: Option<u16>,
    /// Whether the ends stop one another by RTS and CTS.
    pub(super) hardware_flow: bool,
}

impl Place {
    /// Takes an address apart. An error says what is wrong with it.
    pub(super) fn of(address: &Address) -> Result<Self, String> {
        let rest = address.as_str().strip_prefix("serial:").ok_or("the address does not begin with serial:")?;
        let (device, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut options = Options::default();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            options.set(option)?;
        }
        let device = match device.strip_prefix("tcp://") {
            Some(host) if host.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && is_port(port)) => {
                Device::Tcp(host.to_ascii_lowercase())
            }
            Some(_) => return Err("a serial server's address is serial:tcp://HOST:PORT".to_owned()),
            None if device.is_empty() || device.starts_with("//") => {
                return Err("a line's address is like serial:/dev/ttyUSB0?baud=115200".to_owned());
            }
            None => {
                options.baud.get_or_insert(BAUD);
                Device::Port(device.to_owned())
            }
        };
        Ok(Self { device, options })
    }
}

impl Options {
    fn set(&mut self, option: &str) -> Result<(), String> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match (name, value) {
            ("baud", baud) => {
                let number = baud.parse().ok().filter(|baud| (300..=100_000_000).contains(baud));
                self.baud = Some(number.ok_or_else(|| format!("baud={baud} is no baud rate: as in baud=115200"))?);
            }
            ("mtu", mtu) => {
                let number = mtu.parse().ok().filter(|mtu| (SMALLEST_MTU..=LARGEST_MTU).contains(mtu));
                let range = || format!("mtu={mtu} is not between {SMALLEST_MTU} and {LARGEST_MTU}");
                self.mtu = Some(number.ok_or_else(range)?);
            }
            ("flow", "hardware") => self.hardware_flow = true,
            ("flow", "none") => self.hardware_flow = false,
            ("flow", flow) => return Err(format!("flow={flow} is neither none nor hardware")),
            _ => return Err(format!("unknown option {name}: there are baud, mtu and flow")),
        }
        Ok(())
    }
}

impl Device {
    /// What two addresses of one device have in common, however they spell it.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Port(path) => {
                let real = std::fs::canonicalize(path).ok().and_then(|path| path.to_str().map(str::to_owned));
                real.unwrap_or_else(|| path.clone())
            }
            Self::Tcp(host) => format!("tcp://{host}"),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(path) => f.write_str(path),
            Self::Tcp(host) => write!(f, "tcp://{host}"),
        }
    }
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: &str) -> Result<Place, String> {
        Place::of(&address.parse().unwrap())
    }

    #[test]
    fn addresses_are_taken_apart() {
        let port = |path: &str, options| Ok(Place { device: Device::Port(path.to_owned()), options });
        let options = |baud, mtu, hardware_flow| Options { baud, mtu, hardware_flow };
        assert_eq!(place("serial:/dev/ttyUSB0"), port("/dev/ttyUSB0", options(Some(115_200), None, false)));
        assert_eq!(place("serial:COM3?baud=9600&mtu=64"), port("COM3", options(Some(9600), Some(64), false)));
        assert_eq!(place("SERIAL:/dev/x?flow=hardware"), port("/dev/x", options(Some(115_200), None, true)));
        let tcp = place("serial:tcp://Server:4000?baud=921600").unwrap();
        assert_eq!(tcp.device, Device::Tcp("server:4000".to_owned()));
        assert_eq!(tcp.options.baud, Some(921_600));
        assert_eq!(place("serial:tcp://[::1]:4000").unwrap().options.baud, None);
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        for (address, part) in [
            ("serial:/dev/x?baud=fast", "baud=fast is no baud rate"),
            ("serial:/dev/x?baud=0", "baud=0 is no baud rate"),
            ("serial:/dev/x?mtu=63", "mtu=63 is not between 64 and 4096"),
            ("serial:/dev/x?flow=xon", "flow=xon is neither"),
            ("serial:/dev/x?parity=even", "unknown option parity"),
            ("serial:tcp://host", "serial:tcp://HOST:PORT"),
            ("serial:tcp://host:0", "serial:tcp://HOST:PORT"),
            ("serial:?baud=9600", "like serial:/dev/ttyUSB0"),
            ("serial://dev/ttyUSB0", "like serial:/dev/ttyUSB0"),
            ("http://x", "does not begin with serial:"),
        ] {
            let error = place(address).unwrap_err();
            assert!(error.contains(part), "{address}: {error}");
        }
    }
}
