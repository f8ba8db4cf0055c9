//! Credentials that are replaced while the agent runs: over sockets, and with a clock that goes.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use replay::Server;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use waggle_agent::kube::Access;

use super::cluster::Cluster;
use super::objects::{service, shop};

/// Longer than anything takes: failures are waited out a few times.
const LONG: Duration = Duration::from_secs(60);

/// One key is everybody's: who holds it is not what is tested.
const KEY: &str = include_str!("tls/key.pem");

/// What two authorities have signed.
#[derive(Clone, Copy)]
struct Certificates {
    authority: &'static str,
    server: &'static str,
    client: &'static str,
}

const OLD: Certificates = Certificates {
    authority: include_str!("tls/ca-a.pem"),
    server: include_str!("tls/server-a.pem"),
    client: include_str!("tls/client-a.pem"),
};

const NEW: Certificates = Certificates {
    authority: include_str!("tls/ca-b.pem"),
    server: include_str!("tls/server-b.pem"),
    client: include_str!("tls/client-b.pem"),
};

/// How connections begin, and those that there are.
struct Door {
    acceptor: TlsAcceptor,
    connections: JoinSet<()>,
}

/// An API server behind TLS, and a folder with what leads to it.
struct Place {
    server: Server,
    door: Arc<Mutex<Door>>,
    address: String,
    folder: TempDir,
}

impl Place {
    async fn start() -> Self {
        let server = Server::default();
        shop().into_iter().for_each(|object| server.put(object));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = Self {
            server,
            door: Arc::new(Mutex::new(Door::of(OLD.server, OLD.authority))),
            address: format!("https://{}", listener.local_addr().unwrap()),
            folder: TempDir::new().unwrap(),
        };
        tokio::spawn(listen(listener, place.server.clone(), place.door.clone()));
        place
    }

    /// The server shows another certificate and takes other ones; every connection ends.
    fn take(&self, server: &str, clients: &str) {
        *self.door.lock().unwrap() = Door::of(server, clients);
        self.forget();
    }

    /// Every watch ends, and its version with it.
    fn forget(&self) {
        self.server.put(service("cart", "10.96.0.9"));
        self.server.compact();
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// A kubeconfig with a user of this form.
    fn lead(&self, address: &str, user: &Value) {
        let cluster = json!({"server": address, "certificate-authority": "ca.pem"});
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        });
        self.write("kubeconfig", &kubeconfig.to_string());
    }

    async fn enter(&self) -> Cluster {
        let access = Access::Kubeconfig(self.folder.path().join("kubeconfig"));
        let entrance = access.enter().await.unwrap();
        let mut cluster = Cluster::entered(self.server.clone(), entrance);
        assert_eq!(cluster.until_like(&shop()).await, [""; 0]);
        cluster
    }
}

impl Door {
    fn of(server: &str, clients: &str) -> Self {
        let of = |text: &str| CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(of(clients)).unwrap();
        let verifier = WebPkiClientVerifier::builder(roots.into()).allow_unauthenticated();
        let config = ServerConfig::builder()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![of(server)], key);
        Self { acceptor: Arc::new(config.unwrap()).into(), connections: JoinSet::new() }
    }
}

async fn listen(listener: TcpListener, server: Server, door: Arc<Mutex<Door>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let server = server.clone();
        let mut door = door.lock().unwrap();
        let accepting = door.acceptor.accept(stream);
        door.connections.spawn(async move {
            if let Ok(stream) = accepting.await {
                let _ended = server.serve(stream).await;
            }
        });
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(LONG, test).await.expect("it does not take so long") });
}

fn changed() -> Vec<Value> {
    let mut objects = shop();
    objects[0] = service("cart", "10.96.0.9");
    objects
}

#[test]
fn a_token_that_was_replaced_is_read_again() {
    for is_inline in [true, false] {
        run(async {
            let place = Place::start().await;
            let give = |token: &str| {
                place.write("token", token);
                let inline = json!({"token": token});
                let user = if is_inline { inline } else { json!({"tokenFile": "token"}) };
                place.lead(&place.address, &user);
            };
            place.write("ca.pem", OLD.authority);
            place.server.require_token("old");
            give("old");
            let mut cluster = place.enter().await;
            place.server.require_token("new");
            place.forget();
            cluster.until(|it| it.node.problems().contains("(401: Unauthorized)")).await;
            give("new");
            cluster.until_like(&changed()).await;
        });
    }
}

#[test]
fn certificates_that_were_replaced_are_read_again() {
    let server = Certificates { server: NEW.server, authority: NEW.authority, ..OLD };
    for (next, clients, cause) in [
        (Certificates { client: NEW.client, ..OLD }, NEW.authority, "received fatal alert"),
        (server, OLD.authority, "UnknownIssuer"),
    ] {
        run(async {
            let place = Place::start().await;
            let give = |certificates: Certificates| {
                place.write("ca.pem", certificates.authority);
                place.write("client.pem", certificates.client);
            };
            give(OLD);
            place.write("key.pem", KEY);
            let user = json!({"client-certificate": "client.pem", "client-key": "key.pem"});
            place.lead(&place.address, &user);
            let mut cluster = place.enter().await;
            place.take(next.server, clients);
            cluster.until(|it| it.node.problems().contains(cause)).await;
            give(next);
            cluster.until_like(&changed()).await;
        });
    }
}

#[test]
fn a_way_that_is_lost_or_leads_elsewhere_is_named_and_not_taken() {
    const LOST: &str = ". Nor can the way to it be read again: ";
    run(async {
        let place = Place::start().await;
        place.write("ca.pem", OLD.authority);
        place.server.require_token("old");
        place.lead(&place.address, &json!({"token": "old"}));
        let mut cluster = place.enter().await;
        place.server.require_token("new");
        place.forget();
        place.write("kubeconfig", "nonsense");
        cluster.until(|it| it.node.problems().contains(&format!("{LOST}--kubeconfig "))).await;
        place.lead("https://192.0.2.9:6443", &json!({"token": "new"}));
        let elsewhere = format!("{LOST}it leads to https://192.0.2.9:6443 now; restart the agent");
        cluster.until(|it| it.node.problems().contains(&elsewhere)).await;
        assert_eq!(cluster.outcome(), super::cluster::outcome_of_files(&shop()));
        place.lead(&place.address, &json!({"token": "new"}));
        cluster.until_like(&changed()).await;
    });
}
