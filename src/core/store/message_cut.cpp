#include "core/store/message_cut.h"

#include <optional>

#include "platform/crypto/hash.h"

namespace mailhold::store {
namespace {

class Cutter {
 public:
  Cutter(const NewMessage& message, std::uint64_t part_bytes_min, KnownBodies& known)
      : message_(message), part_bytes_min_(part_bytes_min), known_(known) {}

  CutMessage run() {
    for (const BodySpan& span : message_.bodies) {
      // Two pieces for each body, and the text at the end.
      const bool is_usable = span.offset >= done_to_ && span.length > 0 && span.offset <= message_.bytes.size() &&
                             span.length <= message_.bytes.size() - span.offset && result_.recipe.pieces.size() + 3 <= pieces_max;
      if (is_usable) take_body(span);
    }
    take_text_up_to(message_.bytes.size());
    result_.recipe.message_bytes = message_.bytes.size();
    result_.recipe.sha256 = message_.sha256.empty() ? crypto::sha256(message_.bytes) : message_.sha256;
    return std::move(result_);
  }

 private:
  void take_body(const BodySpan& span) {
    const std::string_view body = message_.bytes.substr(span.offset, span.length);
    const std::size_t place = result_.recipe.pieces.size() + (span.offset > done_to_ ? 1 : 0);
    // The ends of the last lines stay inline, so that a span with and one without them give the same part.
    const std::string_view core = body.substr(0, body.find_last_not_of("\r\n") + 1);
    if (span.encoding == BodyEncoding::base64 && core.size() >= part_bytes_min_) {
      Piece piece;
      if (std::optional<CutPart> part = take_base64(place, core, piece))
        return add({span.offset, core.size()}, piece, std::move(*part));
    }
    Piece piece;
    piece.kind = Piece::Kind::part;
    piece.length = static_cast<std::uint32_t>(body.size());
    add({span.offset, body.size()}, piece, CutPart(place, body));
  }

  // Nothing for what encoding would not give back.
  std::optional<CutPart> take_base64(std::size_t place, std::string_view core, Piece& piece) {
    piece.kind = Piece::Kind::base64_part;
    const std::string name = known_.name(message_.tenant, core);
    if (const std::optional<KnownBody> known = name.empty() ? std::nullopt : known_.find(name)) {
      piece.lines = known->lines;
      piece.length = static_cast<std::uint32_t>(known->bytes);
      return CutPart(place, core, *known);
    }
    DecodedBody decoded;
    if (!decode_base64_lines(core, decoded)) return std::nullopt;
    piece.lines = decoded.lines;
    piece.length = static_cast<std::uint32_t>(decoded.bytes.size());
    CutPart part(place, core, std::move(decoded.bytes));
    if (!name.empty()) known_.add(name, {piece.lines, piece.length, part.sha256()});
    return part;
  }

  struct Place {
    std::uint64_t offset, length;
  };
  void add(const Place& place, const Piece& piece, CutPart part) {
    if (piece.length < part_bytes_min_) return;
    take_text_up_to(place.offset);
    result_.recipe.pieces.push_back(piece);
    result_.parts.push_back(std::move(part));
    done_to_ = place.offset + place.length;
  }

  void take_text_up_to(std::uint64_t end) {
    if (end == done_to_) return;
    Piece piece;
    piece.length = static_cast<std::uint32_t>(end - done_to_);
    result_.recipe.pieces.push_back(piece);
    result_.recipe.inline_text += message_.bytes.substr(done_to_, end - done_to_);
    done_to_ = end;
  }

  const NewMessage& message_;
  const std::uint64_t part_bytes_min_;
  KnownBodies& known_;
  std::uint64_t done_to_ = 0;
  CutMessage result_;
};

}  // namespace

CutPart::CutPart(std::size_t place, std::string_view body, std::string decoded)
    : piece(place), body_(body), is_base64_(true), decoded_(std::move(decoded)) {}

CutPart::CutPart(std::size_t place, std::string_view body, const KnownBody& known)
    : piece(place), body_(body), is_base64_(true), sha256_(known.sha256) {}

const std::string& CutPart::sha256() {
  if (sha256_.empty()) sha256_ = crypto::sha256(bytes());
  return sha256_;
}

std::string_view CutPart::bytes() {
  if (!is_base64_) return body_;
  if (decoded_.empty()) {
    DecodedBody decoded;
    if (decode_base64_lines(body_, decoded)) decoded_ = std::move(decoded.bytes);
  }
  return decoded_;
}

CutMessage cut(const NewMessage& message, std::uint64_t shared_part_bytes_min, KnownBodies& known) {
  return Cutter(message, shared_part_bytes_min, known).run();
}

}  // namespace mailhold::store
