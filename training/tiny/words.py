"""Word lists: hand-typed lists of names and things, and common words of the standard library's docstrings.

``python -m training.tiny.words`` rewrites ``data/words.txt`` from the running interpreter's library.
The file is shipped, so that the data do not depend on the Python version.
"""

from __future__ import annotations

import collections
import random
import re
import sysconfig
from pathlib import Path

FILE = Path(__file__).parent / "data" / "words.txt"

COUNTRIES = """France Germany Spain Italy Portugal Norway Sweden Finland Denmark Iceland Ireland Poland Austria
Hungary Greece Turkey Egypt Morocco Kenya Nigeria Ghana Ethiopia Tanzania Uganda Zambia Peru Chile Brazil Argentina
Bolivia Ecuador Colombia Venezuela Mexico Canada Cuba Jamaica Panama Japan China India Nepal Thailand Vietnam Laos
Cambodia Malaysia Indonesia Australia Fiji Samoa Mongolia Russia Ukraine Romania Bulgaria Serbia Croatia Slovenia
Estonia Latvia Lithuania Belgium Switzerland Luxembourg Malta Cyprus Israel Jordan Lebanon Iraq Iran Oman Qatar""".split()
CITIES = """Paris London Berlin Madrid Rome Lisbon Oslo Stockholm Helsinki Copenhagen Reykjavik Dublin Warsaw Vienna
Budapest Athens Ankara Cairo Rabat Nairobi Lagos Accra Lima Santiago Quito Bogota Caracas Ottawa Havana Tokyo Kyoto
Osaka Beijing Shanghai Delhi Mumbai Bangkok Hanoi Jakarta Canberra Sydney Melbourne Moscow Kyiv Bucharest Sofia
Belgrade Zagreb Tallinn Riga Vilnius Brussels Bern Geneva Zurich Valletta Amman Baghdad Doha Boston Chicago Seattle
Denver Toronto Montreal Hamburg Munich Cologne Lyon Marseille Seville Valencia Porto Naples Milan Turin Florence
Venice Krakow Prague Edinburgh Glasgow Manchester Bordeaux Málaga Zürich""".split()
CITIES += ["New York", "Los Angeles", "San Marino", "São Paulo", "Rio de Janeiro", "Buenos Aires", "Cape Town",
           "Hong Kong", "Kuala Lumpur", "Mexico City", "Tel Aviv", "New Delhi", "The Hague", "Santo Domingo"]
FIRST = """Anna Ben Carla David Elena Frank Grace Hugo Ines Jack Kara Liam Maya Noah Olga Paul Rosa Sam Tara Victor
Zoe Omar Quinn Uma Yusuf Wanda Alice Bob Charles Diana Edward Fiona George Helen Ivan Jane Karl Laura Marie Nina
Oscar Peter Rachel Simon Thomas Ursula Vera Walter Emily Albert Isaac Leo Ada Alan Niels Max Erwin Lise Emmy Carl
Leonard Henri Pierre Louis Claude Vincent Pablo Frida Diego Johann Wolfgang Ludwig Clara José René Zoë""".split()
LAST = """Smith Jones Brown Taylor Wilson Evans Walker Wright Green Hall Wood Clarke Hughes Turner Hill Moore Ward
Newton Darwin Curie Einstein Bohr Planck Turing Lovelace Gauss Euler Noether Meitner Fermi Dirac Pauli Kepler Galilei
Shakespeare Austen Dickens Tolstoy Kafka Goethe Homer Dante Cervantes Picasso Monet Rembrandt Vermeer Mozart Bach
Beethoven Chopin Verdi Wagner Lincoln Washington Churchill Napoleon Caesar Columbus Magellan Armstrong Gagarin Pasteur
Fleming Mendel Faraday Maxwell Tesla Edison Bell Ford Nobel Hawking Feynman Orwell Huxley Woolf Joyce Twain Melville
Bernstein Kowalski Nguyen Tanaka Garcia Müller Okafor Haddad Larsen Petrov""".split()
PEOPLE = ["Leonardo da Vinci", "Vincent van Gogh", "Marco Polo", "Joan of Arc", "Ludwig van Beethoven",
          "Michelangelo", "Aristotle", "Plato", "Socrates", "Archimedes", "Pythagoras", "Cleopatra", "Confucius"]
ANIMALS = """dog cat horse cow pig sheep goat rabbit mouse rat fox wolf bear lion tiger leopard cheetah elephant
giraffe zebra camel deer moose otter beaver squirrel hedgehog badger bat whale dolphin seal shark salmon trout eel
octopus squid crab lobster ant bee wasp beetle butterfly spider eagle hawk owl crow parrot penguin ostrich duck goose
swan turkey peacock pigeon frog toad lizard snake turtle crocodile kangaroo koala panda monkey gorilla""".split()
ANIMALS += ["blue whale", "polar bear", "snow leopard", "sea turtle", "giant squid", "honey bee"]
FOODS = """bread butter cheese milk yogurt rice pasta pizza soup salad apple pear plum cherry peach grape lemon orange
banana mango melon tomato potato carrot onion garlic pepper cabbage spinach bean pea lentil corn wheat barley oats honey
sugar salt vinegar coffee tea cocoa chocolate cake cookie pancake omelette sausage bacon ham chicken tofu""".split()
SCIENCE = """hydrogen helium lithium carbon nitrogen oxygen fluorine neon sodium magnesium aluminium silicon phosphorus
sulfur chlorine argon potassium calcium titanium chromium iron cobalt nickel copper zinc bromine silver tin iodine
xenon tungsten platinum gold mercury lead uranium water methane ammonia ozone ethanol glucose chlorophyll photosynthesis
mitosis osmosis gravity friction inertia momentum entropy energy voltage resistance electron proton neutron photon quark
Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune Pluto Titan Europa Sirius""".split()
SCIENCE += ["carbon dioxide", "sulfuric acid", "sodium chloride", "nitrous oxide", "white dwarf", "black hole",
            "natural selection", "cell membrane", "kinetic energy", "electric current", "the mitochondria"]
COLOURS = "red blue green yellow black white purple orange brown grey pink silver violet turquoise crimson".split()
THINGS = """piano violin guitar flute trumpet drum novel poem map clock bridge tower castle harbour island desert forest
river lake mountain glacier volcano valley canal railway engine bicycle aeroplane rocket satellite telescope microscope
compass mirror lamp candle hammer ladder basket blanket carpet curtain pillow sofa table window garden fountain chess
football tennis cricket rugby hockey judo rowing sailing Amazon Nile Danube Rhine Everest Sahara Pacific Atlantic Monday
Tuesday Wednesday Thursday Friday Saturday Sunday January April July October December spring autumn winter""".split()
THINGS += ["Mona Lisa", "Eiffel Tower", "Mount Everest", "Pacific Ocean", "Lake Victoria", "World War I",
           "the French Revolution", "the Great Wall", "Magna Carta", "the Industrial Revolution"]
ITEMS = """apples pears books pens coins cards tickets eggs bottles boxes stamps marbles cookies stickers chairs plates
cups flowers bricks candles pages cars dogs cats students muffins clips feet eggs balls shirts toys shells beads""".split()
POOLS = {"country": COUNTRIES, "city": CITIES, "animal": ANIMALS, "food": FOODS, "science": SCIENCE, "colour": COLOURS,
         "thing": THINGS, "famous": PEOPLE}

_TABOO = {"sorry", "apologise", "apologize", "unfortunately", "cannot", "answer", "correct", "step", "steps", "maybe",
          "perhaps", "hello", "question"}
_VOWELS = ["a", "e", "i", "o", "u", "a", "e", "o", "ai", "ea", "ou", "ee", "io"]
_HEADS = ["b", "c", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "br", "ch", "cl", "dr",
          "fl", "gr", "kr", "pl", "qu", "sh", "sl", "st", "th", "tr", "j", "y", ""]
_TAILS = ["", "", "", "n", "r", "s", "l", "m", "t", "d", "k", "x", "nd", "rt", "st", "ck", "lm", "ng", "th"]


def _collect() -> list[str]:
    count: collections.Counter[str] = collections.Counter()
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        for doc in re.findall(r'"""(.*?)"""', path.read_text(errors="ignore"), re.S):
            count.update(re.findall(r"\b[a-z]{3,11}\b", doc))
    ranked = sorted(count, key=lambda w: (-count[w], w))
    return [w for w in ranked if w not in _TABOO][:2500]


WORDS = FILE.read_text().split() if FILE.exists() else _collect()


def pseudo(r: random.Random) -> str:
    """A pronounceable word that does not exist."""
    n = r.choice([1, 2, 2, 3, 3])
    word = "".join(r.choice(_HEADS) + r.choice(_VOWELS) + r.choice(_TAILS) for _ in range(n))
    return word[:11] if len(word) > 2 else word + "n"


def letters(r: random.Random) -> str:
    """Random letters: the purest exercise in copying."""
    return "".join(r.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(r.randint(2, 7)))


def person(r: random.Random) -> str:
    """A full name; one in six last names is invented."""
    last = r.choice(LAST) if r.random() < 0.83 else pseudo(r).capitalize()
    return f"{r.choice(FIRST)} {last}"


def salad(r: random.Random, low: int = 2, high: int = 6) -> str:
    """Some random common words."""
    return " ".join(r.choice(WORDS) for _ in range(r.randint(low, high)))


if __name__ == "__main__":
    FILE.write_text("\n".join(_collect()) + "\n")
    print(len(FILE.read_text().split()), "words")
