#include "core/keys/key_door.h"

#include <algorithm>
#include <initializer_list>

#include "base/bytes.h"
#include "base/log.h"

namespace mailhold::keys {
namespace {

struct Permission {
  std::string_view role;
  std::initializer_list<Method> methods;
};

// Who may ask what. Whatever is not written here is denied.
const Permission permissions[] = {
    {"gatewayd-in", {Method::spool_public_key, Method::link_key}},
    {"gatewayd-out",
     {Method::spool_private_keys, Method::day_key, Method::destroy_day, Method::purpose_key, Method::token_key,
      Method::end_day_rotation}},
    {"linkd", {Method::link_key}},
    {"workerd", {Method::day_key, Method::token_key}},
    {"searchd", {Method::purpose_key}},
    {"apid",
     {Method::status,
      Method::initialise,
      Method::unseal,
      Method::create_tenant,
      Method::destroy_tenant,
      Method::purpose_key,
      Method::ledger_public_key,
      Method::open_ledger_box,
      Method::ledger_verifying_key,
      Method::secret_public_key,
      Method::put_secret,
      Method::destroy_secret,
      Method::rotate_link_key,
      Method::add_seal,
      Method::remove_seal,
      Method::drill,
      Method::rotate,
      Method::events,
      Method::forget_event,
      Method::confirm,
      Method::seal}},
    {"brokerd",
     {Method::purpose_key, Method::ledger_public_key, Method::ledger_verifying_key, Method::secret_public_key, Method::put_secret,
      Method::destroy_secret}},
    {"ledgerd", {Method::ledger_signing_seed, Method::ledger_verifying_key}},
    {"authd", {Method::use}},
};

// purpose_key is not one question but several: each role has its one purpose.
bool may_have(std::string_view role, Purpose purpose) {
  return (role == "gatewayd-out" && purpose == Purpose::trace) || (role == "searchd" && purpose == Purpose::index) ||
         ((role == "apid" || role == "brokerd") && purpose == Purpose::configuration);
}

// Keys of backups are for workerd, and no others are.
bool may_have_epoch(std::string_view role, std::uint32_t epoch) { return (role == "workerd") == (epoch >= backup_epoch_first); }

Error denied(std::string_view role, std::string_view method) {
  log_warning("keys", std::string(role) + " asked for " + std::string(method) + ": denied");
  return Error{ErrorKind::denied, std::string(role) + " may not ask keyd for " + std::string(method)};
}

// Reads the fields of a question; check with fields.finish() before the answer is computed.
class Question {
 public:
  explicit Question(std::string_view body) : reader_(body) {}
  Id id() { return Id::from_bytes(reader_.raw(Id::size)); }
  std::uint32_t number() { return reader_.u32(); }
  std::uint64_t large_number() { return reader_.u64(); }
  std::uint8_t small_number() { return reader_.u8(); }
  std::string_view text() { return reader_.text(); }
  Status finish() const {
    if (!reader_.finish()) return Error{ErrorKind::invalid_input, "a malformed question to keyd"};
    return done();
  }

 private:
  ByteReader reader_;
};

using Answer = Result<SecretText>;

Answer empty_answer(const Status& status) {
  if (!status) return status.error();
  return SecretText();
}
Answer public_answer(Result<std::string> bytes) {
  if (!bytes) return bytes.error();
  return SecretText::take(std::move(*bytes));
}
Answer answer_with(const Result<SymmetricKey>& key) {
  if (!key) return key.error();
  return encode(*key);
}
template <class PublicKey>
Answer answer_public(const Result<PublicKey>& key) {
  if (!key) return key.error();
  return public_answer(encode_public(key->version, key->public_key));
}

Answer spool_private_keys(KeyService& service, Id tenant, std::uint32_t version) {
  ASSIGN_OR_RETURN(const SecretText key, service.spool_private_key(tenant, version));
  const auto next = service.spool_private_key(tenant, version + 1);
  const ByteWriter number = ByteWriter().u32(version);
  return SecretText::joined({number.view(), key.reveal(), next ? next->reveal() : std::string_view()});
}

Status rotate(KeyService& service, const RotateRequest& request) {
  switch (request.scope) {
    case RotationScope::root: return service.rotate_root();
    case RotationScope::region: return service.rotate_region();
    case RotationScope::tenant: return service.rotate_tenant(request.tenant);
    case RotationScope::day: return service.rotate_day(request.tenant, request.day);
    case RotationScope::connection: return service.rotate_connection(request.tenant, request.connection);
  }
  return Error{ErrorKind::invalid_input, "no such scope"};
}

}  // namespace

bool may_call(std::string_view role, Method method) {
  for (const Permission& permission : permissions) {
    if (permission.role == role)
      return std::find(permission.methods.begin(), permission.methods.end(), method) != permission.methods.end();
  }
  return false;
}

Result<SecretText> KeyDoor::answer(std::string_view role, std::uint16_t number, std::string_view body) {
  const Method method = static_cast<Method>(number);
  if (!may_call(role, method)) return denied(role, name_of(method));
  switch (method) {
    case Method::initialise:
    case Method::add_seal:
    case Method::unseal:
    case Method::drill: return answer_ceremony(method, body);
    case Method::rotate: {
      ASSIGN_OR_RETURN(const RotateRequest request, parse_rotate_request(body));
      return empty_answer(rotate(service_, request));
    }
    case Method::put_secret: {
      ASSIGN_OR_RETURN(const SecretRecord record, parse_secret_record(body));
      ASSIGN_OR_RETURN(const std::uint64_t version, service_.put_secret(record));
      return public_answer(ByteWriter().u64(version).take());
    }
    case Method::use: {
      ASSIGN_OR_RETURN(const UseRequest request, parse_use_request(body));
      auto outcome = service_.use(request);
      if (!outcome)
        log_warning("keys", "a use of connection " + request.connection.text() + " failed: " + outcome.error().detail);
      return outcome;
    }
    default: return answer_simple(role, method, body);
  }
}

Result<SecretText> KeyDoor::answer_ceremony(Method method, std::string_view body) {
  Question question(body);
  const std::string_view what = question.text();
  const std::string_view secrets = question.text();
  RETURN_IF_ERROR(question.finish());
  if (method == Method::unseal || method == Method::drill) {
    ASSIGN_OR_RETURN(const SealKind kind, parse_kind(what));
    if (method == Method::unseal) {
      ASSIGN_OR_RETURN(const KeyService::UnsealProgress progress, service_.unseal(kind, secrets));
      return public_answer(encode(progress));
    }
    ASSIGN_OR_RETURN(const SealInfo drilled, service_.drill(kind, secrets));
    return public_answer(encode(drilled));
  }
  ASSIGN_OR_RETURN(const std::vector<SealRequest> seals, parse_seals(what, secrets));
  if (method == Method::add_seal && seals.size() != 1) return Error{ErrorKind::invalid_input, "one seal at a time"};
  ASSIGN_OR_RETURN(const std::vector<SecretText> shares,
                   method == Method::initialise ? service_.initialise(seals) : service_.add_seal(seals.front()));
  return encode_secrets(shares);
}

Result<SecretText> KeyDoor::answer_simple(std::string_view role, Method method, std::string_view body) {
  Question question(body);
  switch (method) {
    case Method::status:
    case Method::ledger_signing_seed:
    case Method::ledger_verifying_key:
    case Method::secret_public_key:
    case Method::seal:
    case Method::events: {
      RETURN_IF_ERROR(question.finish());
      if (method == Method::seal) {
        service_.seal();
        return SecretText();
      }
      if (method == Method::events) {
        ASSIGN_OR_RETURN(const std::vector<KeyEvent> events, service_.events());
        return public_answer(encode(events));
      }
      if (method == Method::status) return public_answer(encode(service_.status()));
      if (method == Method::ledger_signing_seed) return service_.ledger_signing_seed();
      return public_answer(method == Method::ledger_verifying_key ? service_.ledger_verifying_key()
                                                                  : service_.secret_public_key());
    }
    case Method::create_tenant:
    case Method::destroy_tenant:
    case Method::rotate_link_key:
    case Method::spool_public_key:
    case Method::ledger_public_key:
    case Method::token_key: {
      const Id tenant = question.id();
      RETURN_IF_ERROR(question.finish());
      if (method == Method::create_tenant) return empty_answer(service_.create_tenant(tenant));
      if (method == Method::destroy_tenant) return empty_answer(service_.destroy_tenant(tenant));
      if (method == Method::rotate_link_key) return empty_answer(service_.rotate_link_key(tenant));
      if (method == Method::spool_public_key) return answer_public(service_.spool_public_key(tenant));
      if (method == Method::ledger_public_key) return answer_public(service_.ledger_public_key(tenant));
      return answer_with(service_.purpose_key(tenant, Purpose::token));
    }
    case Method::spool_private_keys:
    case Method::link_key:
    case Method::day_key:
    case Method::destroy_day: {
      const Id tenant = question.id();
      const std::uint32_t which = question.number();
      const std::uint32_t version = method == Method::day_key ? question.number() : 0;
      RETURN_IF_ERROR(question.finish());
      if ((method == Method::day_key || method == Method::destroy_day) && !may_have_epoch(role, which))
        return denied(role, "a key of other epochs");
      if (method == Method::spool_private_keys) return spool_private_keys(service_, tenant, which);
      if (method == Method::link_key) return answer_with(service_.link_key(tenant, which));
      if (method == Method::day_key) return answer_with(service_.day_key(tenant, which, version));
      return empty_answer(service_.destroy_day(tenant, which));
    }
    case Method::purpose_key: {
      const Id tenant = question.id();
      const Purpose purpose = static_cast<Purpose>(question.small_number());
      RETURN_IF_ERROR(question.finish());
      if (!may_have(role, purpose)) return denied(role, "a key of another purpose");
      return answer_with(service_.purpose_key(tenant, purpose));
    }
    case Method::open_ledger_box: {
      const Id tenant = question.id();
      const std::uint32_t version = question.number();
      const std::string_view context = question.text();
      const std::string_view box = question.text();
      RETURN_IF_ERROR(question.finish());
      return service_.open_ledger_box(tenant, version, context, box);
    }
    case Method::end_day_rotation: {
      const Id tenant = question.id();
      const std::uint32_t day = question.number();
      const std::uint64_t count = question.large_number();
      RETURN_IF_ERROR(question.finish());
      return empty_answer(service_.end_day_rotation(tenant, day, count));
    }
    case Method::remove_seal:
    case Method::forget_event: {
      const Id which = question.id();
      RETURN_IF_ERROR(question.finish());
      return empty_answer(method == Method::remove_seal ? service_.remove_seal(which) : service_.forget_event(which));
    }
    case Method::confirm: {
      const Id event = question.id();
      const bool accept = question.small_number() != 0;
      RETURN_IF_ERROR(question.finish());
      return empty_answer(service_.confirm(event, accept));
    }
    case Method::destroy_secret: {
      const Id tenant = question.id();
      const Id connection = question.id();
      RETURN_IF_ERROR(question.finish());
      return empty_answer(service_.destroy_secret(tenant, connection));
    }
    default: return Error{ErrorKind::bug, "a method without an answer"};
  }
}

}  // namespace mailhold::keys
