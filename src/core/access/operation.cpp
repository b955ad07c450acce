#include "core/access/operation.h"

#include "base/bytes.h"

namespace mailhold::access {
namespace {

constexpr std::string_view format = "mailhold-operation-1";
constexpr std::uint32_t arguments_max = 64;

}  // namespace

Id region_tenant() { return Id::from_bytes("mailhold.region."); }

Result<std::string> Operation::argument(const std::string& name) const {
  const auto found = arguments.find(name);
  if (found == arguments.end() || found->second.empty()) return Error{ErrorKind::invalid_input, type + " needs " + name};
  return found->second;
}

std::string Operation::argument_or(const std::string& name, const std::string& otherwise) const {
  const auto found = arguments.find(name);
  return found == arguments.end() ? otherwise : found->second;
}

std::string encode(const Operation& operation) {
  ByteWriter writer;
  writer.text(format).text(operation.type).raw(operation.tenant.bytes()).raw(operation.signer.bytes());
  writer.u64(static_cast<std::uint64_t>(operation.at)).raw(operation.nonce.bytes());
  writer.u32(static_cast<std::uint32_t>(operation.arguments.size()));
  for (const auto& [name, value] : operation.arguments) writer.text(name).text(value);
  return writer.take();
}

Result<Operation> parse_operation(std::string_view bytes) {
  if (bytes.size() > operation_bytes_max) return Error{ErrorKind::invalid_input, "the operation is too large"};
  ByteReader reader(bytes);
  Operation operation;
  const bool known = reader.text() == format;
  operation.type = reader.text();
  operation.tenant = Id::from_bytes(reader.raw(Id::size));
  operation.signer = Id::from_bytes(reader.raw(Id::size));
  operation.at = static_cast<Milliseconds>(reader.u64());
  operation.nonce = Id::from_bytes(reader.raw(Id::size));
  const std::uint32_t count = reader.count(8);
  if (count > arguments_max) return Error{ErrorKind::invalid_input, "the operation has too many arguments"};
  for (std::uint32_t left = count; left > 0; --left) {
    const std::string name(reader.text());
    operation.arguments[name] = std::string(reader.text());
  }
  // Bytes that parse but are not in the one canonical form could be read differently elsewhere.
  if (!known || !reader.finish() || encode(operation) != bytes)
    return Error{ErrorKind::invalid_input, "these bytes are no operation"};
  return operation;
}

std::string signed_bytes(std::string_view operation_bytes) {
  return "mailhold operation signature v1\n" + std::string(operation_bytes);
}

SignedOperation sign(const Operation& operation, const crypto::Ed25519Signer& key) {
  std::string bytes = encode(operation);
  std::string signature = key.sign(signed_bytes(bytes));
  return {std::move(bytes), std::move(signature)};
}

}  // namespace mailhold::access
