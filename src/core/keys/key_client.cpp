#include "core/keys/key_client.h"

#include "base/bytes.h"
#include "core/keys/key_messages.h"
#include "core/keys/leases.h"
#include "formats/sealed/box.h"
#include "formats/sealed/sealed.h"

namespace mailhold::keys {
namespace {

std::string about(Id tenant) { return std::string(tenant.bytes()); }
std::string about(Id tenant, std::uint32_t number) { return ByteWriter().raw(tenant.bytes()).u32(number).take(); }
std::string about(Id tenant, std::uint32_t day, std::uint32_t version) {
  return ByteWriter().raw(tenant.bytes()).u32(day).u32(version).take();
}

std::string name_of_lease(Method method, std::string_view body) {
  return ByteWriter().u16(static_cast<std::uint16_t>(method)).raw(body).take();
}

Error malformed() { return Error{ErrorKind::bug, "a malformed answer of keyd"}; }

}  // namespace

struct KeyClient::State {
  KeyCall call;
  Leases leases;

  State(KeyCall carrier, LeaseTimes times, Now now) : call(std::move(carrier)), leases(times, std::move(now)) {}

  Result<SecretText> ask(Method method, std::string_view body, const Deadline& deadline) {
    ASSIGN_OR_RETURN(std::string answer, call(static_cast<std::uint16_t>(method), body, deadline));
    return SecretText::take(std::move(answer));
  }
  Status tell(Method method, std::string_view body, const Deadline& deadline) {
    ASSIGN_OR_RETURN(const SecretText answer, ask(method, body, deadline));
    if (!answer.empty()) return malformed();
    return done();
  }
  Result<SecretText> leased(Method method, const std::string& body, const Deadline& deadline, bool& fetched) {
    return leases.get(name_of_lease(method, body), [&] { return ask(method, body, deadline); }, fetched);
  }
  Result<SymmetricKey> leased_key(Method method, const std::string& body, const Deadline& deadline) {
    bool fetched = false;
    ASSIGN_OR_RETURN(const SecretText answer, leased(method, body, deadline, fetched));
    return parse_symmetric_key(answer.reveal());
  }
  Result<BoxPublicKey> leased_public_key(Method method, const std::string& body, const Deadline& deadline) {
    bool fetched = false;
    ASSIGN_OR_RETURN(const SecretText answer, leased(method, body, deadline, fetched));
    return parse_public_key(answer.reveal());
  }
  Result<std::string> public_bytes(Method method, const Deadline& deadline) {
    ASSIGN_OR_RETURN(const SecretText answer, ask(method, {}, deadline));
    if (answer.size() != sealed::key_size) return malformed();
    return std::string(answer.reveal());
  }

  // The private spool key of that day. The next day's comes with it and is kept as if it had been asked for.
  Result<SecretText> spool_private_key(Id tenant, std::uint32_t version, const Deadline& deadline) {
    bool fetched = false;
    ASSIGN_OR_RETURN(const SecretText answer, leased(Method::spool_private_keys, about(tenant, version), deadline, fetched));
    ByteReader reader(answer.reveal());
    const bool asked_for = reader.u32() == version;
    SecretText key = SecretText::copy_of(reader.raw(sealed::key_size));
    if (!asked_for || !reader.ok()) return malformed();
    const std::string_view next = reader.rest();
    if (fetched && next.size() == sealed::key_size) {
      leases.keep(name_of_lease(Method::spool_private_keys, about(tenant, version + 1)),
                  SecretText::take(ByteWriter().u32(version + 1).raw(next).take()));
    }
    return key;
  }
};

KeyClient::KeyClient(KeyCall call, LeaseTimes times, Now now)
    : state_(std::make_unique<State>(std::move(call), times, std::move(now))) {}
KeyClient::~KeyClient() = default;

Result<SpoolKey> KeyClient::spool_public_key(Id tenant, const Deadline& deadline) {
  ASSIGN_OR_RETURN(BoxPublicKey key, state_->leased_public_key(Method::spool_public_key, about(tenant), deadline));
  return SpoolKey{key.version, std::move(key.public_key)};
}

Result<SecretText> KeyClient::open_spool_box(Id tenant, std::uint32_t version, std::string_view box, std::string_view context,
                                             const Deadline& deadline) {
  ASSIGN_OR_RETURN(const sealed::Context place, sealed::Context::parse(context));
  if (place.tenant != tenant) return Error{ErrorKind::corrupt, "the box is of another tenant"};
  ASSIGN_OR_RETURN(const SecretText key, state_->spool_private_key(tenant, version, deadline));
  return sealed::open_box(key.reveal(), place, box);
}

Result<LinkKey> KeyClient::link_key(Id tenant, const Deadline& deadline) { return link_key(tenant, 0, deadline); }
Result<LinkKey> KeyClient::link_key(Id tenant, std::uint32_t version, const Deadline& deadline) {
  return state_->leased_key(Method::link_key, about(tenant, version), deadline);
}

Status KeyClient::rotate_link_key(Id tenant, const Deadline& deadline) {
  return state_->tell(Method::rotate_link_key, about(tenant), deadline);
}

Result<DayKey> KeyClient::day_key(Id tenant, std::uint32_t day, const Deadline& deadline) {
  bool fetched = false;
  ASSIGN_OR_RETURN(const SecretText answer, state_->leased(Method::day_key, about(tenant, day, 0), deadline, fetched));
  const std::string next = about(tenant, day + 1, 0);
  if (fetched && !state_->leases.has(name_of_lease(Method::day_key, next))) {
    // So that keyd may be away over midnight. That a day too far ahead has no key is no failure of this call.
    (void)state_->leased(Method::day_key, next, deadline, fetched);
  }
  return parse_symmetric_key(answer.reveal());
}

Result<DayKey> KeyClient::day_key(Id tenant, std::uint32_t day, std::uint32_t version, const Deadline& deadline) {
  return state_->leased_key(Method::day_key, about(tenant, day, version), deadline);
}

Status KeyClient::end_day_rotation(Id tenant, std::uint32_t day, std::uint64_t rows, const Deadline& deadline) {
  return state_->tell(Method::end_day_rotation, ByteWriter().raw(tenant.bytes()).u32(day).u64(rows).take(), deadline);
}

Result<PurposeKey> KeyClient::purpose_key(Id tenant, Purpose purpose, const Deadline& deadline) {
  std::string body = ByteWriter().raw(tenant.bytes()).u8(static_cast<std::uint8_t>(purpose)).take();
  return state_->leased_key(Method::purpose_key, body, deadline);
}

Result<PurposeKey> KeyClient::token_key(Id tenant, const Deadline& deadline) {
  return state_->leased_key(Method::token_key, about(tenant), deadline);
}

Result<LedgerPublicKey> KeyClient::ledger_public_key(Id tenant, const Deadline& deadline) {
  return state_->leased_public_key(Method::ledger_public_key, about(tenant), deadline);
}

Result<SecretText> KeyClient::open_ledger_box(Id tenant, std::uint32_t version, std::string_view box, std::string_view context,
                                              const Deadline& deadline) {
  const std::string body = ByteWriter().raw(tenant.bytes()).u32(version).text(context).text(box).take();
  return state_->ask(Method::open_ledger_box, body, deadline);
}

Result<SecretText> KeyClient::ledger_signing_seed(const Deadline& deadline) {
  return state_->ask(Method::ledger_signing_seed, {}, deadline);
}

Result<std::string> KeyClient::ledger_verifying_key(const Deadline& deadline) {
  return state_->public_bytes(Method::ledger_verifying_key, deadline);
}

Status KeyClient::create_tenant(Id tenant, const Deadline& deadline) {
  return state_->tell(Method::create_tenant, about(tenant), deadline);
}

Status KeyClient::destroy_tenant(Id tenant, const Deadline& deadline) {
  return state_->tell(Method::destroy_tenant, about(tenant), deadline);
}

Status KeyClient::destroy_day(Id tenant, std::uint32_t day, const Deadline& deadline) {
  return state_->tell(Method::destroy_day, about(tenant, day), deadline);
}

Result<std::string> KeyClient::secret_public_key(const Deadline& deadline) {
  return state_->public_bytes(Method::secret_public_key, deadline);
}

Result<std::uint64_t> KeyClient::put_secret(const SecretRecord& record, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const SecretText answer, state_->ask(Method::put_secret, encode(record), deadline));
  ByteReader reader(answer.reveal());
  const std::uint64_t version = reader.u64();
  if (!reader.finish()) return malformed();
  return version;
}

Status KeyClient::destroy_secret(Id tenant, Id connection, const Deadline& deadline) {
  return state_->tell(Method::destroy_secret, about(tenant) + about(connection), deadline);
}

Result<SecretText> KeyClient::use(const UseRequest& request, const Deadline& deadline) {
  return state_->ask(Method::use, encode(request), deadline);
}

Result<KeyStatus> KeyClient::status(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const SecretText answer, state_->ask(Method::status, {}, deadline));
  return parse_status(answer.reveal());
}

Status KeyClient::rotate(const RotateRequest& request, const Deadline& deadline) {
  return state_->tell(Method::rotate, encode(request), deadline);
}

Status KeyClient::remove_seal(Id seal, const Deadline& deadline) {
  return state_->tell(Method::remove_seal, about(seal), deadline);
}

Result<std::vector<KeyEvent>> KeyClient::events(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const SecretText answer, state_->ask(Method::events, {}, deadline));
  return parse_events(answer.reveal());
}

Status KeyClient::forget_event(Id event, const Deadline& deadline) {
  return state_->tell(Method::forget_event, about(event), deadline);
}

Status KeyClient::confirm(Id event, bool accept, const Deadline& deadline) {
  return state_->tell(Method::confirm, ByteWriter().raw(event.bytes()).u8(accept ? 1 : 0).take(), deadline);
}

Status KeyClient::seal(const Deadline& deadline) { return state_->tell(Method::seal, {}, deadline); }

void KeyClient::forget_leases() { state_->leases.clear(); }

}  // namespace mailhold::keys
