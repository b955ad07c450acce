// The part of KeyService about the seals of the region: making them, unsealing, drills.
#include <set>

#include "base/log.h"
#include "base/text.h"
#include "core/keys/key_service_state.h"

namespace mailhold::keys {
namespace {

constexpr Milliseconds share_patience = 15 * 60 * 1000;  // how long shares are kept for those that are missing
constexpr std::uint32_t first_root_version = 1;
constexpr std::size_t shares_text_bytes_max = 256 * share_text_bytes_max;

Error no_keystore() { return Error{ErrorKind::not_found, "there is no keystore yet"}; }

std::map<std::string, std::string> fields_of(const SealRow& seal) {
  return {{"seal", seal.id.text()}, {"kind", std::string(name_of(seal.kind))}};
}

// Two wraps are independent if no one thing opens both.
Status check_independent(const std::vector<SealRequest>& seals) {
  if (seals.size() < 2 || seals.size() > seals_max) return Error{ErrorKind::invalid_input, "a region needs at least two seals"};
  std::set<std::string> seen;
  for (const SealRequest& seal : seals) {
    const std::string what = seal.kind == SealKind::passphrase ? "p" + std::string(seal.secret.reveal()) : "t" + seal.token;
    if (seal.kind != SealKind::shamir && !seen.insert(what).second)
      return Error{ErrorKind::invalid_input, "two seals with the same passphrase or token are one: losing it loses both"};
  }
  return done();
}

// The shares that were typed, one a line; what is wrong with one is told with its name.
Result<std::vector<RecoveryShare>> read_shares(std::string_view typed) {
  if (typed.size() > shares_text_bytes_max) return Error{ErrorKind::invalid_input, "too many shares at once"};
  std::vector<RecoveryShare> shares;
  for (const std::string_view line : split(typed, '\n')) {
    if (trim(line).empty()) continue;
    auto share = parse_share(line);
    if (!share) return share.error().while_doing("the share given as number " + std::to_string(shares.size() + 1));
    shares.push_back(std::move(*share));
  }
  if (shares.empty()) return Error{ErrorKind::invalid_input, "no share was given"};
  return shares;
}

std::vector<SealRow> of_kind(const std::vector<SealRow>& all, SealKind kind) {
  std::vector<SealRow> some;
  for (const SealRow& seal : all) {
    if (seal.kind == kind) some.push_back(seal);
  }
  return some;
}

// The set that the first share belongs to; each share is then checked against it.
Result<SealRow> set_of(const RootSeals& seals, const std::vector<SealRow>& sets, const std::vector<RecoveryShare>& shares) {
  const SealRow* found = &sets.front();
  for (const SealRow& each : sets) {
    if (seal_tag_of(each.id) == shares.front().seal_tag) found = &each;
  }
  for (const RecoveryShare& share : shares) RETURN_IF_ERROR(seals.check(*found, share));
  return *found;
}

std::vector<ShamirShare> as_shamir(const std::map<std::uint8_t, SecretText>& values) {
  std::vector<ShamirShare> shares;
  for (const auto& [index, value] : values) shares.push_back({index, value.duplicate()});
  return shares;
}

// The first of those seals that the passphrase or PIN opens.
Result<OpenedSeal> open_any(const RootSeals& seals, const std::vector<SealRow>& candidates, std::string_view secret) {
  Error failure{ErrorKind::not_found, "the region has no seal of that kind"};
  for (const SealRow& seal : candidates) {
    auto opened = seal.kind == SealKind::pkcs11 ? seals.open_by_token(seal, secret) : seals.open_by_passphrase(seal, secret);
    if (opened) return opened;
    failure = opened.error();
  }
  return failure;
}

}  // namespace

Result<std::vector<SecretText>> KeyService::initialise(const std::vector<SealRequest>& requests) {
  State& state = *state_;
  RETURN_IF_ERROR(check_host());
  RETURN_IF_ERROR(check_independent(requests));
  const std::lock_guard ceremony(state.ceremony);
  {
    const std::lock_guard lock(state.mutex);
    RETURN_IF_ERROR(state.open_keystore());
    ASSIGN_OR_RETURN(const auto existing, state.keystore->region());
    if (existing) return Error{ErrorKind::already_exists, "there is a keystore already"};
  }
  Hierarchy hierarchy(*state.keystore, state.pages, state.settings.region);
  const Milliseconds now = state.clock.now();
  ASSIGN_OR_RETURN(const Hierarchy::NewRegion made, hierarchy.make_region(now));
  std::vector<SealRow> rows;
  std::vector<SecretText> shares;
  for (const SealRequest& request : requests) {
    ASSIGN_OR_RETURN(MadeSeal seal, state.seals.make(request, made.root.reveal(), first_root_version, now));
    rows.push_back(std::move(seal.row));
    for (SecretText& share : seal.shares) shares.push_back(std::move(share));
  }
  const std::lock_guard lock(state.mutex);
  RETURN_IF_ERROR(state.keystore->create(state.settings.region, rows, made.rows,
                                         state.event("key.initialised", {}, {{"seals", std::to_string(rows.size())}})));
  RETURN_IF_ERROR(hierarchy.take(made.root.reveal()));
  state.hierarchy.emplace(std::move(hierarchy));
  state.confirmed = true;
  log_info("keys", "made a new keystore");
  return shares;
}

Result<KeyService::UnsealProgress> KeyService::unseal(SealKind kind, std::string_view secret) {
  State& state = *state_;
  RETURN_IF_ERROR(check_host());
  const std::lock_guard ceremony(state.ceremony);
  std::vector<SealRow> all;
  {
    const std::lock_guard lock(state.mutex);
    RETURN_IF_ERROR(state.open_keystore());
    ASSIGN_OR_RETURN(const auto region, state.keystore->region());
    if (!region) return no_keystore();
    if (*region != state.settings.region) return Error{ErrorKind::denied, "the keystore is of another region"};
    ASSIGN_OR_RETURN(all, state.keystore->seals());
  }
  UnsealProgress progress;
  auto opened = open_root(of_kind(all, kind), kind, secret, progress);
  const std::lock_guard lock(state.mutex);
  if (!opened) {
    log_warning("keys", "unsealing by " + std::string(name_of(kind)) + " was refused: " + opened.error().detail);
    (void)state.keystore->add_event(state.event("key.unseal_refused", {}, {{"kind", std::string(name_of(kind))}}));
    return opened.error();
  }
  if (opened->root.empty()) return progress;  // shares are missing
  progress.unsealed = true;
  // An unsealed region stays as it is.
  if (state.hierarchy) {
    RETURN_IF_ERROR(state.hierarchy->check(opened->root.reveal()));
    state.bring_up_to_date(*opened);
    return progress;
  }
  Hierarchy hierarchy(*state.keystore, state.pages, state.settings.region);
  RETURN_IF_ERROR(hierarchy.take(opened->root.reveal()));
  state.hierarchy.emplace(std::move(hierarchy));
  log_info("keys", "unsealed");
  (void)state.keystore->add_event(state.event("key.unsealed", {}, {{"kind", std::string(name_of(kind))}}));
  state.bring_up_to_date(*opened);
  return progress;
}

// With state.ceremony held. An empty text: shares are missing.
// The seal opens as it is, too: a failure here is one of the disk, and the next opening tries again.
void KeyService::State::bring_up_to_date(const OpenedSeal& opened_seal) {
  if (RootSeals::has_key_pair(opened_seal.seal)) return;
  const auto renewed = seals.with_key_pair(opened_seal);
  const Status kept =
      renewed ? keystore->replace_seal(*renewed, event("key.seal_renewed", {}, fields_of(*renewed))) : Status(renewed.error());
  if (!kept) log_warning("keys", "a seal of an older format stays as it is: " + kept.error().detail);
}

Result<OpenedSeal> KeyService::open_root(const std::vector<SealRow>& seals, SealKind kind, std::string_view secret,
                                         UnsealProgress& progress) {
  State& state = *state_;
  if (seals.empty()) return Error{ErrorKind::not_found, "the region has no seal of that kind"};
  if (kind != SealKind::shamir) {
    return open_any(state.seals, seals, secret);
  }
  ASSIGN_OR_RETURN(const std::vector<RecoveryShare> shares, read_shares(secret));
  ASSIGN_OR_RETURN(const SealRow seal, set_of(state.seals, seals, shares));
  GatheredShares& gathered = state.gathered;
  const Milliseconds now = state.clock.now();
  if (gathered.seal != seal.id || now - gathered.since > share_patience) gathered = {seal.id, {}, now};
  for (const RecoveryShare& share : shares) gathered.values[share.index] = share.value.duplicate();
  progress.shares_needed = shares.front().threshold;
  progress.shares_given = static_cast<std::uint8_t>(gathered.values.size());
  if (progress.shares_given < progress.shares_needed) return OpenedSeal();
  const std::vector<ShamirShare> complete = as_shamir(gathered.values);
  gathered = {};
  return state.seals.open_by_shares(seal, complete);
}

Status KeyService::confirm(Id event, bool accept) {
  State& state = *state_;
  return state.unsealed([&](Hierarchy&) -> Status {
    if (!event.is_none()) {
      ASSIGN_OR_RETURN(const Keystore::Knowledge knowledge, state.keystore->knows_event(event));
      if (knowledge == Keystore::Knowledge::unknown && !accept)
        return Error{ErrorKind::denied,
                     "the keystore is an older copy: the ledger has its event " + event.text() + ", of which it knows nothing"};
      std::optional<KeyEvent> why;
      if (knowledge == Keystore::Knowledge::unknown) why = state.event("key.older_copy_accepted", {}, {{"newest", event.text()}});
      if (knowledge != Keystore::Knowledge::known) RETURN_IF_ERROR(state.keystore->adopt_event(event, state.clock.now(), why));
    }
    state.confirmed = true;
    return done();
  });
}

Result<std::vector<SecretText>> KeyService::add_seal(const SealRequest& request) {
  State& state = *state_;
  const std::lock_guard ceremony(state.ceremony);
  SecretText root;
  std::uint32_t root_version = 0;
  {
    const std::lock_guard lock(state.mutex);
    if (!state.hierarchy) return Error{ErrorKind::unavailable, "the region is sealed"};
    ASSIGN_OR_RETURN(const auto seals, state.keystore->seals());
    if (seals.size() >= seals_max) return Error{ErrorKind::limit_exceeded, "the region has the largest number of seals"};
    root = SecretText::copy_of(state.hierarchy->root());
    root_version = state.hierarchy->root_version();
  }
  ASSIGN_OR_RETURN(MadeSeal made, state.seals.make(request, root.reveal(), root_version, state.clock.now()));
  const std::lock_guard lock(state.mutex);
  RETURN_IF_ERROR(state.keystore->add_seal(made.row, state.event("key.seal_added", {}, fields_of(made.row))));
  return std::move(made.shares);
}

Status KeyService::remove_seal(Id seal) {
  State& state = *state_;
  const std::lock_guard ceremony(state.ceremony);
  return state.unsealed([&](Hierarchy&) -> Status {
    ASSIGN_OR_RETURN(const std::vector<SealRow> seals, state.keystore->seals());
    for (const SealRow& each : seals) {
      if (each.id != seal) continue;
      if (seals.size() <= 2) return Error{ErrorKind::denied, "two seals must be left: add another one first"};
      return state.keystore->remove_seal(seal, state.event("key.seal_removed", {}, fields_of(each)));
    }
    return Error{ErrorKind::not_found, "no such seal"};
  });
}

Result<SealInfo> KeyService::drill(SealKind kind, std::string_view secret) {
  State& state = *state_;
  RETURN_IF_ERROR(check_host());
  const std::lock_guard ceremony(state.ceremony);
  std::vector<SealRow> seals;
  {
    const std::lock_guard lock(state.mutex);
    RETURN_IF_ERROR(state.open_keystore());
    ASSIGN_OR_RETURN(const auto region, state.keystore->region());
    if (!region) return no_keystore();
    ASSIGN_OR_RETURN(seals, state.keystore->seals());
    seals = of_kind(seals, kind);
  }
  if (seals.empty()) return Error{ErrorKind::not_found, "the region has no seal of that kind"};
  OpenedSeal opened;
  if (kind == SealKind::shamir) {
    ASSIGN_OR_RETURN(const std::vector<RecoveryShare> shares, read_shares(secret));
    ASSIGN_OR_RETURN(const SealRow set, set_of(state.seals, seals, shares));
    std::map<std::uint8_t, SecretText> values;
    for (const RecoveryShare& share : shares) values[share.index] = share.value.duplicate();
    if (values.size() < shares.front().threshold)
      return Error{ErrorKind::invalid_input, "a drill needs " + std::to_string(shares.front().threshold) + " shares at once"};
    ASSIGN_OR_RETURN(opened, state.seals.open_by_shares(set, as_shamir(values)));
  } else {
    ASSIGN_OR_RETURN(opened, open_any(state.seals, seals, secret));
  }
  const std::lock_guard lock(state.mutex);
  if (state.hierarchy) {
    RETURN_IF_ERROR(state.hierarchy->check(opened.root.reveal()));
  } else {
    RETURN_IF_ERROR(Hierarchy(*state.keystore, state.pages, state.settings.region).check(opened.root.reveal()));
  }
  opened.seal.drilled_at = state.clock.now();
  RETURN_IF_ERROR(state.keystore->set_drilled(opened.seal.id, opened.seal.drilled_at,
                                              state.event("key.drilled", {}, fields_of(opened.seal))));
  state.bring_up_to_date(opened);
  return RootSeals::info(opened.seal);
}

}  // namespace mailhold::keys
