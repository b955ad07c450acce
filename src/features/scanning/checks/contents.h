// Contents: looks at every reading of every part: the test virus, types by content and name, archives.
// Lists the attachments for the trace and shows contents to clamd where that is asked for.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "features/scanning/checks/scan_state.h"
#include "features/scanning/checks/virus_scanner.h"
#include "formats/mime/readings.h"

namespace mailhold::scanning {

class Contents {
 public:
  explicit Contents(Scan& scan);

  // Looks at all readings and adds what it finds to the result; message.oddities is complete afterwards.
  void run();

 private:
  void take(const mime::Reading& reading);
  void take_leaf(const mime::Reading& reading, const mime::Part& part);
  void list_attachment(std::string_view name, std::string_view type, std::string_view bytes);
  // What is inside: `depth` counts archives around it.
  void look_into(std::string_view bytes, std::string_view name, unsigned depth, std::string& type);
  void look_into_zip(std::string_view archive, unsigned depth, std::string& type);
  void note_danger(std::uint8_t danger, std::string_view type, bool in_archive);
  void look_for_test_virus(std::string_view bytes);

  Scan& scan_;
  VirusScanner clamd_;
  std::size_t unpacked_left_;
  std::size_t entries_left_ = 5000;
};

}  // namespace mailhold::scanning
