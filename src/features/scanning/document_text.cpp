#include "features/scanning/document_text.h"

#include "features/scanning/office_text.h"

namespace mailhold::scanning {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t document_bytes_max = 32U << 20;
constexpr std::size_t before_pdf_max = 1024;  // readers take a PDF that begins so late

bool is_pdf(std::string_view bytes) { return bytes.substr(0, before_pdf_max).find("%PDF-") != std::string_view::npos; }
bool is_archive(std::string_view bytes) { return bytes.starts_with("PK\x03\x04"); }
bool is_compound_file(std::string_view bytes) { return bytes.starts_with("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv); }

}  // namespace

std::optional<DocumentText> Documents::read(std::string_view bytes, std::size_t bytes_max) {
  const bool pdf = is_pdf(bytes), archive = is_archive(bytes);
  if (!pdf && !archive && !is_compound_file(bytes)) return std::nullopt;
  const bool is_looked_at = programs_ != nullptr && (pdf || archive) && bytes.size() <= document_bytes_max;
  if (!is_looked_at || documents_left_ == 0) return DocumentText();
  if (pdf) {
    --documents_left_;
    return programs_->read_pdf(bytes, bytes_max);
  }
  std::optional<DocumentText> office = text_of_office(bytes, bytes_max, unpacked_left_);
  if (office) --documents_left_;
  return office;
}

}  // namespace mailhold::scanning
