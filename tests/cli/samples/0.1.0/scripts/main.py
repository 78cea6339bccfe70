import sys

from helper import square

print(square(int(sys.argv[1])), open("data.txt").read().strip())
