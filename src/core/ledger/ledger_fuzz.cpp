// What ledgerd and keyd read from others: entries, batches, receipts, head proofs, appends and clear texts. Whatever parses is
// written back byte for byte.
#include <cstdlib>

#include "core/evidence/batch.h"
#include "core/evidence/clear_text.h"
#include "core/ledger/ledger_messages.h"
#include "core/ledger/log.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  using namespace mailhold;
  using namespace mailhold::ledger;
  const Id tenant = Id::from_bytes("tenant--tenant--");
  const Hash hash = tlog::hash_leaf("leaf");
  const std::string payload = encode(Payload{1, 2, tenant, "box", "ciphertext"});
  const Event event{tenant, tenant, 1000, 1, hash, 1, hash, hash, payload};
  const std::string entry = encode(event);
  const Batch batch{7, 1000, {"first", "second"}, hash, std::string(64, 's')};
  const Receipt receipt{"log", 8, hash, 7, {hash, hash}, entry, 1000, 2000, std::string(64, 's'), "{}"};
  const HeadProof proof{tenant, {1, hash}, 0, {hash}, 3, encode(Heads{1000, 1, hash}), {hash}, "checkpoint"};
  const Entry clear{tenant, tenant, "use.intent", {{"host", std::string("mx.example")}, {"port", std::int64_t{25}}}};
  return {"\x06" + entry,
          "\x06" + encode(Heads{1000, 1, hash}),
          "\x01" + encode(batch),
          "\x02" + receipt.encode(),
          "\x03" + proof.encode(),
          "\x04" + encode(Append{tenant, tenant, hash, payload}),
          "\x05" + write_clear_text(clear, std::string(blinder_bytes, 'b')).value()};
}

extern "C" int LLVMFuzzerTestOneInput(const char* bytes, std::size_t count) {
  using namespace mailhold::ledger;
  if (count == 0) return 0;
  const std::string_view input(bytes + 1, count - 1);
  switch (bytes[0] % 6) {
    case 0:
      if (const auto entry = parse_log_entry(input)) {
        const std::string again = std::visit([](const auto& kind) { return encode(kind); }, *entry);
        if (again != input) std::abort();
      }
      break;
    case 1:
      if (const auto parsed = parse_batch(input, 0);
          parsed.state == BatchState::whole && encode(parsed.batch) != input.substr(0, parsed.bytes))
        std::abort();
      break;
    case 2:
      if (const auto receipt = Receipt::parse(input)) {
        if (receipt->encode() != input) std::abort();
        (void)verify_receipt(*receipt, {receipt->origin, std::string(32, 'k')}, {}, receipt->time);
      }
      break;
    case 3:
      if (const auto proof = HeadProof::parse(input); proof && proof->encode() != input) std::abort();
      break;
    case 4:
      if (const auto append = parse_append(input); append && encode(*append) != input) std::abort();
      break;
    default: (void)parse_clear_text(input);  // checks by itself that it would write the same
  }
  return 0;
}
