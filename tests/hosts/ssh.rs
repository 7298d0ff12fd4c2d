//! Keys and settings of servers and clients, and what else machines have in `/etc`.

use std::fmt::Write;
use std::fs::{create_dir_all, read_to_string, write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{LAUNCHER, address, name, root};

/// Where `scripts/bootstrap --tests` puts the server.
fn unpacked() -> PathBuf {
    root().join(".tools/openssh/usr")
}

/// The server, by absolute path, as it wants to be called.
pub(crate) fn server() -> PathBuf {
    let places = [unpacked().join("sbin/sshd"), PathBuf::from("/usr/sbin/sshd")];
    let found = places.into_iter().find(|place| place.exists());
    found.unwrap_or_else(|| panic!("there is no sshd: run scripts/bootstrap --tests"))
}

/// The libraries that came with it.
pub(crate) fn server_environment() -> Option<(&'static str, PathBuf)> {
    let libraries = unpacked().join("lib/x86_64-linux-gnu");
    libraries.exists().then_some(("LD_LIBRARY_PATH", libraries))
}

/// The configuration of the client.
pub(crate) fn config(folder: &Path) -> PathBuf {
    folder.join("ssh_config")
}

/// Folders of the switch, of the launcher and of this many hosts, with one key for the client and one for each host.
pub(crate) fn write_files(folder: &Path, hosts: usize) {
    make_key(&folder.join("key"));
    create_dir_all(folder.join("switch")).unwrap();
    write_node(folder, LAUNCHER, hosts);
    let mut known = String::new();
    for host in 1..=hosts {
        write_node(folder, host, hosts);
        let node = folder.join(name(host));
        make_key(&node.join("key"));
        write(node.join("sshd_config"), server_config(folder, &node)).unwrap();
        let key = read_to_string(node.join("key.pub")).unwrap();
        writeln!(known, "{},{} {}", name(host), address(host), key.trim()).unwrap();
    }
    write(folder.join("known_hosts"), known).unwrap();
    write(config(folder), client_config(folder)).unwrap();
}

fn make_key(file: &Path) {
    let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(file).status();
    assert!(status.unwrap().success());
}

/// Files of one machine. Its root has a home of its own, and no account is locked.
fn write_node(folder: &Path, node: usize, hosts: usize) {
    let own = folder.join(name(node));
    let (home, etc) = (own.join("home"), own.join("etc"));
    [home.clone(), etc.join("ssh")].iter().for_each(|folder| create_dir_all(folder).unwrap());
    let root = format!("root:x:0:0:root:{}:/bin/bash\n", home.display());
    let others =
        "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n";
    write(etc.join("passwd"), root + others).unwrap();
    write(etc.join("shadow"), "root:*:19000::::::\n").unwrap();
    let names = (0..=hosts).map(|node| format!("{} {}\n", address(node), name(node)));
    write(etc.join("hosts"), "127.0.0.1 localhost\n".to_owned() + &names.collect::<String>()).unwrap();
    write(etc.join("ssh/ssh_config"), client_config(folder)).unwrap();
}

/// A client that asks no questions and believes in no host that it does not know.
fn client_config(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "User root
IdentityFile {folder}/key
IdentitiesOnly yes
UserKnownHostsFile {folder}/known_hosts
GlobalKnownHostsFile none
StrictHostKeyChecking yes
PasswordAuthentication no
KbdInteractiveAuthentication no
"
    )
}

/// A server that takes this one key from anybody, however many come at once.
fn server_config(folder: &Path, node: &Path) -> String {
    let (folder, node) = (folder.display(), node.display());
    format!(
        "ListenAddress 0.0.0.0
HostKey {node}/key
AuthorizedKeysFile {folder}/key.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
MaxStartups 1000
MaxSessions 1000
Subsystem sftp internal-sftp
"
    )
}
