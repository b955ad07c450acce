// Requests of the command line to ledgerd, on a log with a few entries.
#include <stdlib.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>

#include "core/ledger/ledger_service.h"
#include "fuzz_seeds.h"

using namespace mailhold;
using namespace mailhold::ledger;

namespace {

const Id tenant = Id::from_bytes("tenant--tenant--");

LedgerService& service() {
  static LedgerService& made = *new LedgerService;  // never ended: OpenSSL, with which it signs, is gone before statics are
  static const bool is_filled = [] {
    static std::string folder = (std::filesystem::temp_directory_path() / "ledger-verbs-fuzz-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) std::abort();
    if (std::atexit([] { std::filesystem::remove_all(folder); }) != 0) std::abort();
    LogSettings settings;
    settings.folder = std::filesystem::path(folder) / "log";
    settings.origin = "ledger.test/eu";
    auto log = std::make_unique<Log>(settings, *crypto::Ed25519Signer::from_seed(std::string(32, 'l')));
    if (!log->reopen()) std::abort();
    const std::string payload = encode(Payload{1, 7, tenant, "box", "ciphertext"});
    for (int i = 0; i < 5; ++i) {
      if (!log->append({tenant, tenant, Hash(), payload}, Deadline::after(std::chrono::seconds(10)))) std::abort();
    }
    made.use(std::move(log));
    return true;
  }();
  static_cast<void>(is_filled);
  return made;
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  return {R"({"verb":"ledger.status"})", R"({"tenant":7,"from":[],"verb":"ledger."})",
          R"({"verb":"ledger.show","tenant":")" + tenant.text() + R"(","from":2,"limit":3})"};
}

std::vector<std::string> fuzz_words() {
  return {"{", "}", "[", "]", "\"", ":", ",", "null", "true", "0", "-1", "show", "status"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view request(reinterpret_cast<const char*>(data), size);
  // These two write to the log.
  if (request.find("verify") != std::string_view::npos || request.find("reopen") != std::string_view::npos) return 0;
  const auto answer = service().api(request);
  if (answer && !answer->starts_with('{')) std::abort();
  return 0;
}
