// The archives of a stranger's message with whatever is in them: names and texts stay within their limit, also of the second one,
// which finds what the first left of the message's own limits.
#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "fakes/stored_zip.h"
#include "fakes/tar_archive.h"
#include "features/scanning/document_text.h"
#include "fuzz_seeds.h"

using namespace mailhold;

namespace {

class NoPrograms final : public scanning::DocumentPrograms {
 public:
  scanning::DocumentText read_pdf(std::string_view, std::size_t) override { return {}; }
};

constexpr std::string_view between = "\n--next--\n";
constexpr std::size_t bytes_max = 1000;

// "a,b" by Python's gzip, named a.csv.
std::string packed() { return from_hex("1f8b08088087ec6502ff612e637376004bd4490200df13d92c03000000").value_or(""); }

}  // namespace

std::vector<std::string> fuzz_seeds() {
  const std::string inner = stored_zip({{"c.txt", "deep"}});
  return {stored_zip({{"a.txt", "one"}, {"b.zip", inner}, {"d.rtf", "{\\rtf1 x}"}}), tar_archive({{"a.txt", "one"}, {"b/", ""}}),
          stored_zip({{"a.tar", tar_archive({{"c.csv", "1;2"}})}}), packed(), stored_zip({{"a.gz", packed()}}),
          // Text that nearly fills what there is room for, and another document behind it.
          stored_zip({{"a.txt", std::string(bytes_max - 40, 'x')}, {"b.txt", "two"}}).append(between) + packed()};
}

std::vector<std::string> fuzz_words() {
  return {"PK\1\2", "PK\3\4", "PK\5\6", ".txt", ".zip", "ustar", "\x1f\x8b\x08", "%PDF-", std::string(between)};
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  NoPrograms programs;
  scanning::Documents documents(&programs);
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(bytes.find(between), size);
  const std::string_view second = end == size ? std::string_view() : bytes.substr(end + between.size());
  for (const std::string_view each : {bytes.substr(0, end), second}) {
    const auto document = documents.read(each, "a.gz", bytes_max);
    if (document && document->text.size() > bytes_max) std::abort();
  }
  return 0;
}
