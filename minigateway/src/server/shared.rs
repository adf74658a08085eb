//! Charges the shared limits of a request: from leases, or in one step in the store.
//!
//! ```text
//! per_client   lease has 3 left ─> 2, no message
//! all          no lease ──────────> run_script, 1 key ─┬─ charged ──> the request goes on
//!                                                      ├─ refused ──> per_client has 3 again
//!                                                      └─ Down ─────> when_down decides
//! ```

use super::redis::{Client, Down};
use crate::conf::config::LimitConfig;
use crate::conf::redis::WhenDown;
use crate::engine::leases::Payment;
use crate::engine::limiter::{Decision, Limiter};
use crate::engine::limits::stricter;
use crate::engine::shared::{KeyState, ScriptReply, SharedCharge, arguments, redis_key};
use crate::handlers::pipeline::{Pipeline, Reason};
use std::rc::Rc;

/// Charges all shared limits of a request, or none. Returns the reason if the request is refused.
///
/// `now_ns` reads the clock of this gateway; the store uses its own.
pub async fn charge_shared(
    pipeline: &Pipeline,
    store: Option<Rc<Client>>,
    charges: &mut [SharedCharge],
    now_ns: impl Fn() -> u64,
) -> Option<Reason> {
    let store = store.expect("a configuration with shared limits has a store");
    let asked_ns = now_ns();

    // A lease that covers the cost needs no message. `asked` are the other charges.
    let mut asked = Vec::new();
    for (index, charge) in charges.iter_mut().enumerate() {
        let payment = pipeline.leases[charge.limit].as_ref();
        match payment.map(|it| it.take(charge.key, charge.cost, asked_ns)) {
            Some(Payment::FromLease(it)) => (charge.state, charge.is_charged) = (Some(it), true),
            Some(Payment::AskStore(lease)) => {
                charge.lease = lease;
                asked.push(index);
            }
            None => asked.push(index),
        }
    }
    if asked.is_empty() {
        return None;
    }

    let reply = ask(pipeline, &store, charges, &asked).await;
    let is_admitted = match &reply {
        Ok(reply) => reply.is_charged,
        Err(Down) => store.config().when_down == WhenDown::Admit,
    };
    if !is_admitted {
        put_back(pipeline, charges);
    }
    // Apply the decisions of the store, and record the leases that it granted.
    for (number, index) in asked.iter().enumerate() {
        let charge = &mut charges[*index];
        let algorithm = &pipeline.limits[charge.limit].algorithm;
        let deducted = match &reply {
            Ok(reply) => reply.apply(number, algorithm, charge),
            Err(Down) => 0,
        };
        let Some(leases) = &pipeline.leases[charge.limit] else { continue };
        if charge.lease <= charge.cost {
            continue;
        }
        if let Some(state) = charge.state {
            let window = pipeline.config.limits[charge.limit].policy.window.as_nanos();
            let full_after_ns = algorithm.quota(&state.word, state.now_ns).full_after_ns;
            let length_ns = full_after_ns.min(u64::try_from(window).unwrap_or(u64::MAX));
            let times_ns = [asked_ns, now_ns(), asked_ns.saturating_add(length_ns)];
            let rest = deducted.saturating_sub(charge.cost);
            let held = leases.record_grant(charge.key, rest, state, times_ns);
            charge.state = Some(KeyState { held, ..state });
        }
    }

    if is_admitted {
        return None;
    }
    if reply.is_err() {
        return Some(Reason::StoreDown);
    }
    let refusing = charges.iter().filter(|it| !pipeline.limits[it.limit].is_dry_run);
    match refusing.map(|it| it.decision).fold(Decision::NOW, stricter) {
        Decision::Refused { retry_after_ns } => Some(Reason::Limited { retry_after_ns }),
        // The script disagrees with the local arithmetic, so it is another version of the script.
        Decision::Admitted { .. } => Some(Reason::StoreDown),
    }
}

/// Asks the store about the charges with the indices `asked`.
async fn ask(
    pipeline: &Pipeline,
    store: &Client,
    charges: &[SharedCharge],
    asked: &[usize],
) -> Result<ScriptReply, Down> {
    let (mut call, mut values, mut limits) = (vec![asked.len().to_string()], vec![], vec![]);
    let prefix = store.config().prefix.as_ref().map_or("minigateway", |it| &it.0);
    for charge in asked.iter().map(|index| &charges[*index]) {
        let LimitConfig { name, shared, is_dry_run, .. } = &pipeline.config.limits[charge.limit];
        let shared = shared.expect("only shared limits have shared charges");
        call.push(redis_key(prefix, name, shared.parameters, charge.key));
        values.extend(arguments(charge, shared.parameters, !is_dry_run));
        limits.push(shared.parameters);
    }
    call.extend(values);
    let numbers = store.run_script(&call).await?;
    ScriptReply::read(&numbers, &limits).ok_or(Down)
}

/// Returns to the leases what they paid for a request that another limit refuses.
fn put_back(pipeline: &Pipeline, charges: &mut [SharedCharge]) {
    for charge in charges.iter_mut().filter(|it| it.is_charged) {
        let leases = pipeline.leases[charge.limit].as_ref();
        if let (Some(leases), Some(state)) = (leases, charge.state) {
            leases.put_back(charge.key, charge.cost, state);
        }
        charge.is_charged = false;
    }
}
