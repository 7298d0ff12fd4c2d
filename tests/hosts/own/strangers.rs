//! What attacks count, against one who knows the protocol and one who trusts everybody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::hosts::rogue::{Recorder, Tally, garbage, replayed, truncated, wrong_secret};

const HELLO: usize = 86;

/// Answers a hello as an acceptor does, then judges the proof.
fn shake(stream: &mut TcpStream, genuine: impl Fn(&[u8; 32]) -> bool) -> std::io::Result<bool> {
    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
    let mut hello = [0; HELLO];
    stream.read_exact(&mut hello)?;
    if !hello.starts_with(b"mstream1") {
        return Ok(false);
    }
    stream.write_all(&[7; HELLO + 32])?;
    let mut proof = [0; 32];
    stream.read_exact(&mut proof)?;
    Ok(genuine(&proof))
}

/// Listens for good. Whoever it takes in is welcomed.
fn acceptor(genuine: fn(&[u8; 32]) -> bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                if shake(&mut stream, genuine).unwrap_or(false) {
                    stream.write_all(b"welcome").unwrap();
                }
            });
        }
    });
    address
}

#[test]
fn whoever_knows_the_protocol_lets_nobody_in() {
    let strict = acceptor(|_| false);
    let all = Tally { closed: 40, ..Tally::default() };
    assert_eq!(garbage(strict, 40, 1), all);
    assert_eq!(truncated(strict, 40, 2), all);
    assert_eq!(wrong_secret(strict, 40, 3), all);
}

#[test]
fn whoever_trusts_everybody_is_found_out() {
    let trusting = acceptor(|_| true);
    assert_eq!(wrong_secret(trusting, 20, 3).accepted, 20);
    // Half of them send the acceptor's own proof back.
    let reflected = wrong_secret(acceptor(|proof| *proof == [7; 32]), 20, 3);
    assert!(reflected.accepted > 3 && reflected.closed > 3 && reflected.accepted + reflected.closed == 20);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_address = silent.local_addr().unwrap();
    assert_eq!(garbage(silent_address, 2, 1), Tally { lingered: 2, ..Tally::default() });
    drop(silent);
    assert_eq!(garbage(silent_address, 2, 1), Tally { unreachable: 2, ..Tally::default() });
}

#[test]
fn what_a_genuine_dialer_has_said_is_said_again() {
    // Nothing fresh is in this acceptor's answers, so that the same proof is right once more.
    let forgetful = acceptor(|proof| *proof == [5; 32]);
    let recorder = Recorder::new(forgetful);
    let mut genuine = TcpStream::connect(("127.0.0.1", recorder.port())).unwrap();
    let hello = [&b"mstream1"[..], &[1; HELLO - 8]].concat();
    genuine.write_all(&hello).unwrap();
    genuine.read_exact(&mut [0; HELLO + 32]).unwrap();
    genuine.write_all(&[5; 32]).unwrap();
    let mut welcome = String::new();
    genuine.read_to_string(&mut welcome).unwrap();
    assert_eq!(welcome, "welcome");
    assert_eq!(recorder.sent(), [&hello[..], &[5; 32]].concat());
    assert_eq!(replayed(forgetful, 4, &recorder.sent()), Tally { accepted: 4, ..Tally::default() });
    assert_eq!(replayed(acceptor(|_| false), 4, &recorder.sent()), Tally { closed: 4, ..Tally::default() });
}
