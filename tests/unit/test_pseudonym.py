"""Keyed pseudonyms."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from connectors.pseudonym import PersonalClass, Pseudonymiser

KEY = bytes(range(32))


def test_it_is_an_hmac_of_class_and_value() -> None:
    of = Pseudonymiser(KEY).of(PersonalClass.CITIZEN_ID)
    expected = hmac.new(KEY, b"cid_072199000111", hashlib.sha256).hexdigest()[:32]
    assert of("072199000111") == f"cid_{expected}"


@pytest.mark.parametrize("length", [32, 64, 65, 200])
def test_keys_of_any_length_follow_hmac(length: int) -> None:
    key = b"k" * length
    expected = hmac.new(key, b"tel_0912345678", hashlib.sha256).hexdigest()[:32]
    assert Pseudonymiser(key).of(PersonalClass.PHONE)("0912345678") == f"tel_{expected}"


def test_one_person_has_one_pseudonym_however_written() -> None:
    of = Pseudonymiser(KEY).of(PersonalClass.PHONE)
    assert len({of(text) for text in ("0912345678", "+84 912.345.678", "0912-345-678", "(0912) 345678")}) == 1


def test_names_are_compared_without_case_spaces_and_composition() -> None:
    of = Pseudonymiser(KEY).of(PersonalClass.NAME)
    assert of("Nguyễn  Thị Bưởi") == of("nguyễn thị bưởi") == of("Nguyê\u0303n Thị Bưởi")


def test_keys_and_classes_separate_people() -> None:
    phone, name = PersonalClass.PHONE, PersonalClass.NAME
    assert Pseudonymiser(KEY).of(phone)("0912345678") != Pseudonymiser(b"x" * 32).of(phone)("0912345678")
    assert Pseudonymiser(KEY).of(phone)("0912345678")[4:] != Pseudonymiser(KEY).of(name)("0912345678")[4:]


def test_the_key_never_shows_and_must_be_long() -> None:
    assert "000102" not in repr(Pseudonymiser(KEY)) and repr(KEY) not in repr(Pseudonymiser(KEY))
    with pytest.raises(ValueError, match="32"):
        Pseudonymiser(b"short")


def test_many_values_are_what_each_is_alone_and_in_order() -> None:
    of = Pseudonymiser(KEY).of(PersonalClass.PHONE)
    values = ["0912345678", "0987 654 321", "0912345678", "+84912345678", "x", "0987 654 321"]
    assert of.of_many(values) == [of(value) for value in values]
    assert of.of_many([]) == []
