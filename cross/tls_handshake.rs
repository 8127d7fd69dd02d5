//! Shakes hands with itself over loopback, with TLS 1.2 and TLS 1.3, and says on what.
//!
//! `cross/smoke.sh` runs it under an emulated router processor, before anything larger.

use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use rustls::{StreamOwned, SupportedProtocolVersion, version};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

const HELLO: &[u8; 5] = b"hello";

fn main() -> Result<(), Box<dyn Error>> {
    // 2038 must not matter: the program is built with a 64-bit time_t on every target.
    if size_of::<nix::libc::time_t>() != 8 {
        return Err("time_t has 32 bits: RUST_LIBC_UNSTABLE_MUSL_V1_2_3 did not arrive".into());
    }
    for version in [&version::TLS12, &version::TLS13] {
        handshake(version)?;
    }
    println!(
        "{} {}-endian, {}-bit: TLS 1.2 and 1.3 shook hands",
        std::env::consts::ARCH,
        if cfg!(target_endian = "big") {
            "big"
        } else {
            "little"
        },
        usize::BITS
    );
    Ok(())
}

fn handshake(version: &'static SupportedProtocolVersion) -> Result<(), Box<dyn Error>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let certificate = own.cert.der().clone();

    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[version])?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.clone()],
            PrivateKeyDer::try_from(own.signing_key.serialize_der())?,
        )?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    // The stack of the session thread on a router.
    let serving =
        thread::Builder::new()
            .stack_size(512 * 1024)
            .spawn(move || -> Result<(), String> {
                let (stream, _) = listener.accept().map_err(|e| e.to_string())?;
                let connection =
                    ServerConnection::new(Arc::new(server)).map_err(|e| e.to_string())?;
                let mut tls = StreamOwned::new(connection, stream);
                let mut got = [0; HELLO.len()];
                tls.read_exact(&mut got).map_err(|e| e.to_string())?;
                tls.write_all(&got).map_err(|e| e.to_string())?;
                tls.flush().map_err(|e| e.to_string())
            })?;

    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(client), ServerName::try_from("localhost")?)?;
    let mut tls = StreamOwned::new(connection, TcpStream::connect(address)?);
    tls.write_all(HELLO)?;
    let mut back = [0; HELLO.len()];
    tls.read_exact(&mut back)?;
    serving.join().map_err(|_| "the server's thread died")??;
    if &back != HELLO || tls.conn.protocol_version() != Some(version.version) {
        return Err(format!("{:?}: the echo is not what was sent", version.version).into());
    }
    Ok(())
}
