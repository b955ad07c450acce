// The bytes of a question for the text of a content and of its answer, between workerd and a scanning worker. workerd reads
// the answer as hostile: the worker has read hostile content.
//
// Design: docs/formats/search.md
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/result.h"
#include "features/scanning/extract.h"

namespace mailhold::scanning {

struct ExtractCall {
  Id tenant;
  TextForm form = TextForm::message;
  std::string_view content;  // a view into the parsed bytes
  std::chrono::milliseconds time_left{};
  bool reads_documents = true;
};

// So many documents of a message can be counted, and so many programs asked for.
inline constexpr std::uint32_t extracted_documents_max = 500;
inline constexpr std::size_t extract_programs_max = 32;

std::string encode_extract(const ExtractCall& call);
Result<ExtractCall> parse_extract(std::string_view frame);

std::string encode_extracted(const ExtractedText& text);
// corrupt unless every text is UTF-8 without control characters but line ends, and within its limit, and the date is one of the
// years 1970 to 9999 or 0.
Result<ExtractedText> parse_extracted(std::string_view frame);

}  // namespace mailhold::scanning
