#include "core/ledger/ledger_messages.h"

#include "base/bytes.h"

namespace mailhold::ledger {

std::string encode(const Append& append) {
  return ByteWriter()
      .raw(append.tenant.bytes())
      .raw(append.connection.bytes())
      .raw(append.commitment.bytes())
      .raw(append.payload)
      .take();
}

Result<Append> parse_append(std::string_view bytes) {
  ByteReader reader(bytes);
  Append append;
  append.tenant = Id::from_bytes(reader.raw(Id::size));
  append.connection = Id::from_bytes(reader.raw(Id::size));
  append.commitment = Hash::from_bytes(reader.raw(Hash::size));
  if (!reader.ok()) return Error{ErrorKind::invalid_input, "append: too short"};
  append.payload = reader.rest();
  return append;
}

std::string encode(const std::vector<WitnessTask>& tasks) {
  ByteWriter writer;
  writer.u32(static_cast<std::uint32_t>(tasks.size()));
  for (const WitnessTask& task : tasks) {
    writer.u32(task.witness)
        .u64(task.size)
        .u64(task.old_size)
        .text(task.url)
        .text(task.key_name)
        .u32(task.key_id)
        .text(task.body);
  }
  return writer.take();
}

Result<std::vector<WitnessTask>> parse_witness_tasks(std::string_view bytes) {
  constexpr std::size_t task_bytes_min = 4 + 8 + 8 + 4 + 4 + 4 + 4;
  ByteReader reader(bytes);
  std::vector<WitnessTask> tasks(reader.count(task_bytes_min));
  for (WitnessTask& task : tasks) {
    task.witness = reader.u32();
    task.size = reader.u64();
    task.old_size = reader.u64();
    task.url = reader.text();
    task.key_name = reader.text();
    task.key_id = reader.u32();
    task.body = reader.text();
  }
  RETURN_IF_ERROR(reader.finish());
  return tasks;
}

std::string encode(const WitnessOutcome& outcome) {
  return ByteWriter()
      .u32(outcome.witness)
      .u64(outcome.size)
      .u64(outcome.old_size)
      .u8(static_cast<std::uint8_t>(outcome.kind))
      .u32(outcome.status)
      .u64(outcome.conflict_size)
      .text(outcome.signature)
      .take();
}

Result<WitnessOutcome> parse_witness_outcome(std::string_view bytes) {
  ByteReader reader(bytes);
  WitnessOutcome outcome;
  outcome.witness = reader.u32();
  outcome.size = reader.u64();
  outcome.old_size = reader.u64();
  const std::uint8_t kind = reader.u8();
  outcome.kind = static_cast<WitnessOutcome::Kind>(kind);
  outcome.status = reader.u32();
  outcome.conflict_size = reader.u64();
  outcome.signature = reader.text();
  RETURN_IF_ERROR(reader.finish());
  if (kind > static_cast<std::uint8_t>(WitnessOutcome::Kind::away))
    return Error{ErrorKind::corrupt, "witness outcome of no known kind"};
  return outcome;
}

}  // namespace mailhold::ledger
