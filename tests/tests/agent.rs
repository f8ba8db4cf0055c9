//! `waggle agent` and the verbs beside it on one host in namespaces of its own.

mod agent {
    mod adoption;
    mod bring_up;
    mod cgroup;
    mod cleanup;
    mod configuration;
    mod devices;
    mod families;
    mod health;
    mod host;
    mod kubeconfig;
    mod pods;
    mod policies;
    mod refusals;
    mod restart;
}
