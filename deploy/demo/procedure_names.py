"""Vocabulary of the procedure table: fields of administration, who is responsible, and what is applied for."""

from __future__ import annotations

FIELDS: dict[str, tuple[str, str]] = {
    "Đất đai": (
        "H53.14",
        "Giấy chứng nhận quyền sử dụng đất|biến động quyền sử dụng đất|quyết định giao đất|quyết định cho thuê đất|"
        "việc chuyển mục đích sử dụng đất|trích lục bản đồ địa chính|phương án tách thửa, hợp thửa",
    ),
    "Môi trường": (
        "H53.14",
        "giấy phép môi trường|báo cáo đánh giá tác động môi trường|kế hoạch ứng phó sự cố chất thải|"
        "phương án cải tạo, phục hồi môi trường|sổ đăng ký chủ nguồn thải",
    ),
    "Tài nguyên nước": (
        "H53.14",
        "giấy phép thăm dò nước dưới đất|giấy phép khai thác nước mặt|giấy phép khai thác nước dưới đất|"
        "giấy phép xả nước thải vào nguồn nước|giấy phép hành nghề khoan nước",
    ),
    "Địa chất và khoáng sản": (
        "H53.14",
        "giấy phép thăm dò khoáng sản|giấy phép khai thác khoáng sản|giấy phép khai thác tận thu|"
        "đề án đóng cửa mỏ khoáng sản|bản xác nhận khai thác vật liệu san lấp",
    ),
    "Hộ tịch": (
        "H53.09",
        "giấy khai sinh|giấy chứng nhận kết hôn|trích lục khai tử|giấy xác nhận tình trạng hôn nhân|"
        "quyết định thay đổi, cải chính hộ tịch|quyết định công nhận nhận cha, mẹ, con",
    ),
    "Chứng thực": (
        "H53.09",
        "bản sao từ sổ gốc|chứng thực chữ ký|chứng thực hợp đồng, giao dịch|chứng thực di chúc|"
        "chứng thực chữ ký người dịch",
    ),
    "Luật sư, công chứng": (
        "H53.09",
        "giấy đăng ký hoạt động văn phòng luật sư|thẻ công chứng viên|giấy đăng ký hoạt động văn phòng công chứng|"
        "chứng chỉ hành nghề đấu giá|giấy đăng ký trung tâm tư vấn pháp luật|phiếu lý lịch tư pháp",
    ),
    "Thành lập và hoạt động doanh nghiệp": (
        "H53.06",
        "giấy chứng nhận đăng ký doanh nghiệp tư nhân|giấy chứng nhận đăng ký công ty TNHH|"
        "giấy chứng nhận đăng ký công ty cổ phần|giấy chứng nhận đăng ký chi nhánh|"
        "giấy chứng nhận đăng ký địa điểm kinh doanh|giấy chứng nhận đăng ký hợp tác xã",
    ),
    "Hộ kinh doanh": (
        "H53.06",
        "giấy chứng nhận đăng ký hộ kinh doanh|thông báo tạm ngừng kinh doanh của hộ kinh doanh",
    ),
    "Đầu tư": (
        "H53.06",
        "giấy chứng nhận đăng ký đầu tư|quyết định chủ trương đầu tư|văn phòng điều hành của nhà đầu tư nước ngoài|"
        "văn bản ưu đãi đầu tư|thỏa thuận ký quỹ thực hiện dự án",
    ),
    "Đấu thầu": ("H53.06", "kế hoạch lựa chọn nhà thầu|kết quả lựa chọn nhà đầu tư"),
    "Xây dựng": (
        "H53.16",
        "giấy phép xây dựng công trình|giấy phép xây dựng nhà ở riêng lẻ|chứng chỉ hành nghề hoạt động xây dựng|"
        "chứng chỉ năng lực hoạt động xây dựng|thiết kế cơ sở|giấy phép di dời công trình",
    ),
    "Quy hoạch kiến trúc": ("H53.16", "giấy phép quy hoạch|chứng chỉ hành nghề kiến trúc|nhiệm vụ quy hoạch chi tiết"),
    "Nhà ở": ("H53.16", "văn bản mua nhà ở xã hội|hợp đồng thuê nhà ở công vụ|chứng chỉ môi giới bất động sản"),
    "Đường bộ": (
        "H53.08",
        "giấy phép lái xe|giấy phép kinh doanh vận tải bằng xe ô tô|phù hiệu xe ô tô kinh doanh vận tải|"
        "giấy phép thi công nút giao|giấy phép lưu hành xe quá tải|giấy phép liên vận Việt Nam – Campuchia|"
        "giấy phép đào tạo lái xe",
    ),
    "Đường thủy nội địa": (
        "H53.08",
        "giấy chứng nhận đăng ký phương tiện thủy|giấy phép hoạt động bến thủy|chứng chỉ thuyền viên",
    ),
    "Y tế dự phòng": ("H53.18", "giấy công bố cơ sở tiêm chủng|giấy công bố phòng xét nghiệm an toàn sinh học"),
    "Khám bệnh, chữa bệnh": (
        "H53.18",
        "chứng chỉ hành nghề khám bệnh, chữa bệnh|giấy phép hoạt động phòng khám đa khoa|"
        "giấy phép hoạt động phòng khám chuyên khoa|giấy phép hoạt động bệnh viện|giấy phép hoạt động trạm y tế",
    ),
    "Dược phẩm": (
        "H53.18",
        "chứng chỉ hành nghề dược|giấy chứng nhận đủ điều kiện kinh doanh dược|giấy chứng nhận thực hành tốt nhà thuốc|"
        "giấy phép mua thuốc kiểm soát đặc biệt",
    ),
    "An toàn thực phẩm": (
        "H53.18",
        "giấy chứng nhận cơ sở đủ điều kiện an toàn thực phẩm|bản tự công bố sản phẩm|"
        "xác nhận nội dung quảng cáo thực phẩm",
    ),
    "Giáo dục và đào tạo": (
        "H53.05",
        "giấy phép hoạt động trung tâm ngoại ngữ, tin học|quyết định thành lập trường trung học|"
        "quyết định thành lập trường mầm non|bản sao bằng tốt nghiệp|giấy phép dạy thêm, học thêm|"
        "quyết định công nhận trường đạt chuẩn quốc gia",
    ),
    "Thi, tuyển sinh": ("H53.05", "phiếu dự thi tốt nghiệp trung học phổ thông|hồ sơ xét tuyển trường dân tộc nội trú"),
    "Lao động, tiền lương": (
        "H53.10",
        "nội quy lao động|thỏa ước lao động tập thể|giấy phép cho thuê lại lao động|phương án sử dụng lao động",
    ),
    "Việc làm": (
        "H53.10",
        "giấy phép lao động cho người nước ngoài|giấy phép dịch vụ việc làm|quyết định hưởng trợ cấp thất nghiệp",
    ),
    "Người có công": (
        "H53.10",
        "quyết định trợ cấp người có công|giấy chứng nhận thương binh|quyết định hỗ trợ thân nhân liệt sĩ|"
        "thẻ bảo hiểm y tế người có công",
    ),
    "Bảo trợ xã hội": (
        "H53.10",
        "quyết định trợ cấp xã hội hằng tháng|giấy xác nhận mức độ khuyết tật|quyết định hỗ trợ chi phí mai táng|"
        "giấy chứng nhận hộ nghèo",
    ),
    "Giáo dục nghề nghiệp": (
        "H53.10",
        "giấy chứng nhận hoạt động giáo dục nghề nghiệp|quyết định thành lập trung tâm nghề",
    ),
    "Trồng trọt và bảo vệ thực vật": (
        "H53.11",
        "giấy chứng nhận đủ điều kiện buôn bán phân bón|giấy chứng nhận buôn bán thuốc bảo vệ thực vật|"
        "mã số vùng trồng|quyết định công nhận cây đầu dòng",
    ),
    "Chăn nuôi và thú y": (
        "H53.11",
        "chứng chỉ hành nghề thú y|giấy chứng nhận đủ điều kiện chăn nuôi|giấy chứng nhận kiểm dịch động vật|"
        "giấy chứng nhận cơ sở an toàn dịch bệnh",
    ),
    "Lâm nghiệp": ("H53.11", "mã số cơ sở nuôi động vật rừng|phương án trồng rừng thay thế|xác nhận bảng kê lâm sản"),
    "Thủy lợi": (
        "H53.11",
        "giấy phép hoạt động trong phạm vi công trình thủy lợi|phương án bảo vệ công trình thủy lợi",
    ),
    "Công thương": (
        "H53.04",
        "giấy phép bán lẻ rượu|giấy phép bán buôn thuốc lá|giấy chứng nhận đủ điều kiện bán lẻ xăng dầu|"
        "giấy phép sử dụng vật liệu nổ công nghiệp|giấy chứng nhận nạp khí dầu mỏ hóa lỏng|chương trình khuyến mại",
    ),
    "Điện lực": ("H53.04", "giấy phép hoạt động phát điện|thẻ an toàn điện|giấy phép tư vấn công trình điện"),
    "Khoa học và công nghệ": (
        "H53.07",
        "giấy phép tiến hành công việc bức xạ|giấy chứng nhận tổ chức khoa học và công nghệ|"
        "bản công bố hợp quy|giấy đăng ký kết quả nhiệm vụ khoa học",
    ),
    "Thông tin và truyền thông": (
        "H53.15",
        "giấy phép trang thông tin điện tử tổng hợp|giấy phép bưu chính|giấy phép hoạt động in|"
        "giấy phép xuất bản tài liệu không kinh doanh|giấy chứng nhận điểm trò chơi điện tử|giấy phép họp báo",
    ),
    "Văn hóa": (
        "H53.17",
        "giấy phép tổ chức biểu diễn nghệ thuật|giấy phép kinh doanh karaoke|giấy phép triển lãm|"
        "thông báo tổ chức lễ hội|giấy tiếp nhận sản phẩm quảng cáo|danh hiệu gia đình văn hóa",
    ),
    "Thể dục thể thao": (
        "H53.17",
        "giấy chứng nhận kinh doanh hoạt động thể thao|quyết định thành lập câu lạc bộ thể thao",
    ),
    "Du lịch": ("H53.17", "thẻ hướng dẫn viên du lịch|giấy phép kinh doanh lữ hành|quyết định công nhận điểm du lịch"),
    "Tổ chức, biên chế và hội": (
        "H53.12",
        "quyết định cho phép thành lập hội|điều lệ hội|quyết định thành lập quỹ từ thiện|"
        "giấy phép tổ chức đại hội nhiệm kỳ",
    ),
    "Tôn giáo": ("H53.12", "văn bản chấp thuận hoạt động tôn giáo|giấy đăng ký sinh hoạt tôn giáo tập trung"),
    "Thi đua khen thưởng": ("H53.12", "bằng khen của Chủ tịch UBND tỉnh|danh hiệu chiến sĩ thi đua cấp tỉnh"),
    "Tài chính": ("H53.13", "mã số đơn vị có quan hệ với ngân sách|quyết định bán tài sản công|hồ sơ kê khai giá"),
    "Khu kinh tế": (
        "H53.19",
        "giấy phép xây dựng trong khu công nghiệp|giấy phép lao động trong khu kinh tế|"
        "giấy chứng nhận xuất xứ hàng hóa mẫu D|giấy chứng nhận đầu tư trong khu kinh tế cửa khẩu Mộc Bài",
    ),
    "Cư trú": ("H53.03", "thông tin đăng ký thường trú|thông tin đăng ký tạm trú|giấy xác nhận thông tin về cư trú"),
}
"""Field → (responsible unit, what is applied for, separated by bars)."""

VERBS = ("Cấp", "Cấp lại", "Thẩm định cấp", "Điều chỉnh", "Bổ sung thông tin trong", "Đính chính")
LICENCE_VERBS = ("Cấp đổi", "Gia hạn", "Thu hồi", "Chấm dứt hiệu lực")
LICENCES = ("giấy phép", "giấy chứng nhận", "chứng chỉ", "thẻ", "giấy đăng ký")
"""Only what begins so can be renewed or withdrawn."""
VARIANTS = ("", " đối với tổ chức", " đối với cá nhân", " theo cơ chế một cửa liên thông")
