//! Serial lines under the suite that every transport must pass.

mod on_a_pty_pair {
    fsc_core::transport_conformance!(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        crate::stage::OnPtys::new()
    );
}

mod between_processes_through_socat {
    fsc_core::transport_conformance!(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        *crate::socat::stage()
    );
}
