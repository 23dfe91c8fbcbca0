//! A real gnome-keyring on a D-Bus of its own.

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::path::Path;
    use std::process::Command;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use secret_service::{EncryptionType, SecretService};
    use tempfile::TempDir;
    use tokenkit::store::{Backend, Memory, Store, StoreOptions, Target};
    use tokenkit::{ErrorCode, Secret};

    use crate::child::{playing, role, within};
    use crate::{Heard, KEY, all_text, code, options, secret, set, set_secret};

    /// Nothing waits for a keyring any longer than this.
    const SOON: Duration = Duration::from_secs(15);

    fn with_keyring(folder: &Path, heard: &Arc<Heard>) -> Store {
        let options = StoreOptions { keyring: true, ..options(folder, None) };
        Store::open(options, Arc::new(Memory::default()), heard.clone()).unwrap()
    }

    /// Runs the test `name` in a D-Bus session. `service` is started when somebody asks for the keyring.
    fn in_session(name: &str, before: &str, service: Option<&str>) {
        let folder = TempDir::new().unwrap();
        let services = folder.path().join("services");
        fs::create_dir(&services).unwrap();
        if let Some(exec) = service {
            let entry = format!("[D-BUS Service]\nName=org.freedesktop.secrets\nExec={exec}\n");
            fs::write(services.join("org.freedesktop.secrets.service"), entry).unwrap();
        }
        let config = folder.path().join("session.conf");
        let text = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
             "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
            <busconfig><type>session</type><listen>unix:tmpdir={}</listen><servicedir>{}</servicedir>
            <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
            <allow own="*"/></policy></busconfig>"#,
            folder.path().display(),
            services.display()
        );
        fs::write(&config, text).unwrap();
        let itself = playing(name, folder.path(), &format!("keyring::linux::{name}"));
        let script = format!("{before}\nexec \"$@\"");
        let arguments =
            ["--config-file", &config.to_string_lossy(), "--", "sh", "-c", &script, "sh"].map(str::to_owned);
        let mut session = within("dbus-run-session", arguments, &itself);
        session.env("HOME", folder.path()).env("XDG_DATA_HOME", folder.path().join("data"));
        session.env("XDG_RUNTIME_DIR", folder.path()).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        let output = session.output().expect("dbus-run-session is needed: install dbus and gnome-keyring");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.contains("session: done"), "{out}\n{err}");
    }

    /// A keyring that is unlocked with a password, as by signing in.
    const UNLOCKED: &str =
        "command -v gnome-keyring-daemon >/dev/null || { echo 'install gnome-keyring' >&2; exit 1; }
        printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null";

    fn run(test: impl Future<Output = ()>) {
        let limited = async { tokio::time::timeout(Duration::from_mins(1), test).await };
        tokio::runtime::Runtime::new().unwrap().block_on(limited).expect("it takes for ever");
        println!("session: done");
    }

    async fn service() -> SecretService<'static> {
        let begun = Instant::now();
        loop {
            if let Ok(service) = SecretService::connect(EncryptionType::Dh).await
                && service.get_default_collection().await.is_ok()
            {
                return service;
            }
            assert!(begun.elapsed() < SOON, "gnome-keyring does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn keys_in(service: &SecretService<'_>) -> usize {
        let ours = std::collections::HashMap::from([("application", "TokenKit")]);
        let found = service.search_items(ours).await.unwrap();
        found.locked.len() + found.unlocked.len()
    }

    #[test]
    fn a_keyring_holds_the_key() {
        let Some(folder) = role("a_keyring_holds_the_key") else {
            return in_session("a_keyring_holds_the_key", UNLOCKED, None);
        };
        run(async {
            let service = service().await;
            let heard = Arc::new(Heard::default());
            let path = folder.join("store");
            let store = with_keyring(&path, &heard);
            let expected = store.status().await.unwrap();
            assert_eq!((expected.exists, expected.backend, expected.note), (false, Backend::Keyring, None));
            assert_eq!(keys_in(&service).await, 0, "asking has made a key");

            set_secret(&store, "example", "token", "t0p-s3cret").await;
            assert!(!all_text(&path).contains("t0p-"));
            let status = store.status().await.unwrap();
            assert_eq!((status.backend, status.readable), (Backend::Keyring, true));
            assert_eq!(keys_in(&service).await, 1);
            let read = with_keyring(&path, &heard).read("example").await.unwrap();
            assert_eq!(secret(&read, "token"), Some("t0p-s3cret"));

            // Each store has its own key, and a move makes a new one.
            set(&with_keyring(&folder.join("second"), &heard), "example", "a", "b").await.unwrap();
            assert_eq!(keys_in(&service).await, 2);
            let moved = store.reseal(&Target::Keyring).await.unwrap();
            assert_ne!(moved.key_id, status.key_id);
            assert_eq!(keys_in(&service).await, 2);
            store.reseal(&Target::Key(Secret::from(KEY))).await.unwrap();
            assert_eq!(keys_in(&service).await, 1);
            let keyed = crate::open(&path, Some(KEY));
            assert_eq!(secret(&keyed.read("example").await.unwrap(), "token"), Some("t0p-s3cret"));
            keyed.reseal(&Target::Keyring).await.unwrap();
            let read = with_keyring(&path, &heard).read("example").await.unwrap();
            assert_eq!(secret(&read, "token"), Some("t0p-s3cret"));

            // With the settings lost, the sections tell which key it was.
            fs::remove_file(path.join("store.json")).unwrap();
            let again = with_keyring(&path, &heard);
            assert_eq!(secret(&again.read("example").await.unwrap(), "token"), Some("t0p-s3cret"));
            assert_eq!(again.status().await.unwrap().backend, Backend::Keyring);
            assert_eq!((heard.warnings(), heard.notes()), (vec![], vec![]));
        });
    }

    #[test]
    fn a_locked_keyring_is_not_asked_to_open() {
        let Some(folder) = role("a_locked_keyring_is_not_asked_to_open") else {
            return in_session("a_locked_keyring_is_not_asked_to_open", UNLOCKED, None);
        };
        run(async {
            let service = service().await;
            let heard = Arc::new(Heard::default());
            let path = folder.join("store");
            set(&with_keyring(&path, &heard), "example", "a", "b").await.unwrap();
            service.get_default_collection().await.unwrap().lock().await.unwrap();
            let before = all_text(&path);

            let begun = Instant::now();
            let store = with_keyring(&path, &heard);
            let error = store.read("example").await.unwrap_err();
            assert_eq!(error.error_code(), ErrorCode::StoreKeyring);
            assert!(error.to_string().contains("locked"), "{error}");
            assert_eq!(code(set(&store, "example", "a", "c").await), ErrorCode::StoreKeyring);
            assert_eq!(code(store.reseal(&Target::File).await), ErrorCode::StoreKeyring);
            let status = store.status().await.unwrap();
            assert!(!status.readable && status.note.unwrap().contains("locked"));
            assert!(begun.elapsed() < SOON);

            // A new store does without, and says so.
            let plain = with_keyring(&folder.join("new"), &heard);
            set(&plain, "example", "a", "b").await.unwrap();
            assert_eq!(plain.status().await.unwrap().backend, Backend::File);
            assert!(heard.notes().iter().any(|note| note.contains("locked")), "{:?}", heard.notes());
            assert!(all_text(&path).contains(&before[..before.len().min(200)]));
        });
    }

    /// A key that was deleted is an error, and no damage.
    #[test]
    fn a_key_that_is_gone_is_missed() {
        let Some(folder) = role("a_key_that_is_gone_is_missed") else {
            return in_session("a_key_that_is_gone_is_missed", UNLOCKED, None);
        };
        run(async {
            let service = service().await;
            let path = folder.join("store");
            set(&with_keyring(&path, &Arc::default()), "example", "a", "b").await.unwrap();
            for item in service.get_default_collection().await.unwrap().get_all_items().await.unwrap() {
                item.delete().await.unwrap();
            }
            let heard = Arc::new(Heard::default());
            assert_eq!(code(with_keyring(&path, &heard).read("example").await), ErrorCode::StoreKeyring);
            assert_eq!(heard.warnings(), Vec::<String>::new());
            assert!(path.join("sections/example.json").exists());
        });
    }

    /// A new store does not wait for a service that never comes, nor for one that is not there.
    async fn no_answer(folder: &Path) {
        let heard = Arc::new(Heard::default());
        let begun = Instant::now();
        let store = with_keyring(&folder.join("store"), &heard);
        let expected = store.status().await.unwrap();
        assert_eq!(expected.backend, Backend::File);
        assert!(expected.note.unwrap().contains("not used"));
        set(&store, "example", "a", "b").await.unwrap();
        assert_eq!(store.status().await.unwrap().backend, Backend::File);
        assert_eq!(heard.notes().len(), 1, "{:?}", heard.notes());
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_service_that_hangs_is_no_keyring() {
        let Some(folder) = role("a_service_that_hangs_is_no_keyring") else {
            return in_session("a_service_that_hangs_is_no_keyring", "", Some("/bin/sleep 12"));
        };
        run(no_answer(&folder));
    }

    #[test]
    fn a_bus_without_a_service_is_no_keyring() {
        let Some(folder) = role("a_bus_without_a_service_is_no_keyring") else {
            return in_session("a_bus_without_a_service_is_no_keyring", "", None);
        };
        let begun = Instant::now();
        run(no_answer(&folder));
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }

    #[test]
    fn no_bus_is_no_keyring() {
        let Some(folder) = role("no_bus_is_no_keyring") else {
            let folder = TempDir::new().unwrap();
            let mut test: Command =
                playing("no_bus_is_no_keyring", folder.path(), "keyring::linux::no_bus_is_no_keyring");
            test.env_remove("DBUS_SESSION_BUS_ADDRESS").env("XDG_RUNTIME_DIR", folder.path());
            let output = test.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            return;
        };
        let begun = Instant::now();
        run(no_answer(&folder));
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
}
