#include "programs/mailhold/signing.h"

#include <sys/stat.h>

#include <fstream>

#include "base/text.h"

namespace mailhold::cli {
namespace {

namespace json = boost::json;

// A person's key: an id and an Ed25519 seed in a file of mode 0600.
struct PersonKey {
  Id id;
  crypto::Ed25519Signer signer;
};

constexpr const char* how_to_get_a_key =
    "`mailhold person new-key --out FILE` makes a key, and an operator adds it with `mailhold person add`";

Result<PersonKey> read_key(const std::string& path) {
  if (path.empty())
    return Error{ErrorKind::invalid_input, std::string("this is signed for: say --key and your key file; ") + how_to_get_a_key};
  struct stat state{};
  if (::stat(path.c_str(), &state) != 0) return Error{ErrorKind::not_found, path + " cannot be read; " + how_to_get_a_key};
  if ((state.st_mode & 077) != 0) return Error{ErrorKind::denied, path + " is open to others; chmod 600 it"};
  std::ifstream file(path);
  std::string head, id, seed;
  file >> head >> id >> seed;
  const auto bytes = from_base64(seed);
  wipe(seed);
  if (head != key_file_head || !bytes) return Error{ErrorKind::invalid_input, path + " is no key of a person"};
  ASSIGN_OR_RETURN(const Id person, Id::parse(id));
  ASSIGN_OR_RETURN(crypto::Ed25519Signer signer, crypto::Ed25519Signer::from_seed(*bytes));
  return PersonKey{person, std::move(signer)};
}

}  // namespace

Status check_key(const Typed& typed) {
  RETURN_IF_ERROR(read_key(typed.one("key")));
  return done();
}

Result<std::string> sign_and_send(Console& console, const Typed& typed, const std::string& type, Id tenant,
                                  std::map<std::string, std::string> arguments, json::object more) {
  ASSIGN_OR_RETURN(const PersonKey key, read_key(typed.one("key")));
  const access::Operation operation{type, tenant, std::move(arguments), key.id, system_clock().now(), Id::random()};
  const access::SignedOperation signed_operation = access::sign(operation, key.signer);
  more["verb"] = "operation.apply";
  more["operation"] = to_base64(signed_operation.bytes);
  more["signature"] = to_base64(signed_operation.signature);
  return console.ask(json::serialize(more));
}

Status apply(Console& console, const Typed& typed, const std::string& type, Id tenant,
             std::map<std::string, std::string> arguments, json::object more) {
  ASSIGN_OR_RETURN(const std::string answer, sign_and_send(console, typed, type, tenant, std::move(arguments), std::move(more)));
  console.print(answer);
  return done();
}

Result<Id> tenant_of(Console& console, const Typed& typed) {
  if (!typed.has("tenant")) return access::region_tenant();
  ASSIGN_OR_RETURN(const std::string id, console.tenant_id(typed.one("tenant")));
  return Id::parse(id);
}

}  // namespace mailhold::cli
