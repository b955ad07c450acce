// An archive of a stranger with whatever is in it: names and texts stay within their limit.
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

// "a,b" by Python's gzip, named a.csv.
std::string packed() { return from_hex("1f8b08088087ec6502ff612e637376004bd4490200df13d92c03000000").value_or(""); }

}  // namespace

std::vector<std::string> fuzz_seeds() {
  const std::string inner = stored_zip({{"c.txt", "deep"}});
  return {stored_zip({{"a.txt", "one"}, {"b.zip", inner}, {"d.rtf", "{\\rtf1 x}"}}), tar_archive({{"a.txt", "one"}, {"b/", ""}}),
          stored_zip({{"a.tar", tar_archive({{"c.csv", "1;2"}})}}), packed(), stored_zip({{"a.gz", packed()}})};
}

std::vector<std::string> fuzz_words() { return {"PK\1\2", "PK\3\4", "PK\5\6", ".txt", ".zip", "ustar", "\x1f\x8b\x08", "%PDF-"}; }

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  constexpr std::size_t bytes_max = 60;
  NoPrograms programs;
  scanning::Documents documents(&programs);
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto document = documents.read(bytes, "a.gz", bytes_max);
  if (document && document->text.size() > bytes_max) std::abort();
  return 0;
}
